"""What mails say. Nothing in them is of somebody's writing: whoever asks for a mail may name an
address that is not his, and we carry no text of his there."""

from __future__ import annotations

from improto_server.store.mails import Mail


def confirm(email: str, *, link: str, hours: int) -> Mail:
    """To somebody who has registered."""
    return Mail(
        email,
        "Confirm your e-mail address",
        "Hello,\n\n"
        f"to finish your registration, open this page within {hours} hours:\n\n{link}\n\n"
        "If you have not registered, forget this mail: without the link there is no account.\n",
    )


def already(email: str, *, link: str) -> Mail:
    """To somebody who has an account, when his address is registered or wanted again."""
    return Mail(
        email,
        "You have an account already",
        "Hello,\n\nsomebody wanted to use this e-mail address for an account, perhaps you."
        " It has one already.\n\n"
        f"To log in, or to set a new password, go to\n\n{link}\n\n"
        "If it was not you, there is nothing to do.\n",
    )


def reset(email: str, *, link: str, hours: int) -> Mail:
    """To somebody who has forgotten his password."""
    return Mail(
        email,
        "Set a new password",
        "Hello,\n\n"
        f"to set a new password, open this page within {hours} hours:\n\n{link}\n\n"
        "If you have not asked for it, forget this mail: your password stays as it is.\n",
    )


def change(email: str, *, link: str, hours: int) -> Mail:
    """To the address that an account is to have."""
    return Mail(
        email,
        "Confirm your new e-mail address",
        "Hello,\n\n"
        f"to use this address for your account, open this page within {hours} hours:\n\n{link}\n\n"
        "If you have not asked for it, forget this mail.\n",
    )


def changing(email: str, *, link: str) -> Mail:
    """To the address that an account has, when it is to have another one."""
    return Mail(
        email,
        "Your account is to get another e-mail address",
        "Hello,\n\nsomebody who knows your password has asked for another e-mail address for your"
        " account.\n\n"
        f"If it was not you, set a new password now:\n\n{link}\n",
    )
