"""The rows of the operation table about people and the groups they make (sdk5 8.4, 8.5).

Only SDK 5 sends them, always as QUERY.
"""

from __future__ import annotations

from typing import Final

from improto import payloads
from improto._operation import Area, Operation, Target, Topic
from improto._query_table import query
from improto.codes import ErrorCode

_FIVE: Final = ("5.38.0",)
_NONE: Final = ()


def _codes(first: int, last: int) -> tuple[ErrorCode, ...]:
    """All that are known from one number to another."""
    return tuple(code for code in ErrorCode if first <= code <= last)


# Ranges of sdk5 11. Friends share some codes with profiles and groups.
_SUBSCRIBING: Final = _codes(26020, 26022)
_PROFILE: Final = _codes(24360, 24369)
_GROUP: Final = _codes(25402, 25432)
_FRIEND: Final = (
    ErrorCode.RC_USER_PROFILE_SERVICE_UNAVAILABLE,
    ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR,
    ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED,
    *_codes(25460, 25474),
)

# A table reads best with a row on a line or two.
# fmt: off
ROWS: tuple[Operation, ...] = (
    # Subscriptions (sdk5 8.4).
    query(Topic.UPD_USER_SUB, Area.SUBSCRIPTIONS, Target.SELF, payloads.UpdateUserSubReq,
          payloads.UpdateUserSubResp, _FIVE, "subscribe to users, or no longer",
          errors=_SUBSCRIBING),
    query(Topic.QRY_SUB_DATA, Area.SUBSCRIPTIONS, Target.SELF, payloads.QrySubDataReq,
          payloads.PullSubDataResp, _FIVE, "status or profiles of users", errors=_SUBSCRIBING),
    query(Topic.PULL_USER_SUB, Area.SUBSCRIPTIONS, Target.SELF, payloads.PullUserSubReq,
          payloads.PUllUserSubResp, _FIVE, "the caller's subscriptions", errors=_SUBSCRIBING),
    query(Topic.PULL_SUB_DATA, Area.SUBSCRIPTIONS, Target.SELF, payloads.PullSubDataReq,
          payloads.PullSubDataResp, _FIVE, "what has changed about subscribed users",
          errors=_SUBSCRIBING),

    # Profiles (sdk5 8.4).
    query(Topic.UPD_USER_PROFILE, Area.PROFILES, Target.SELF, payloads.UserProfile,
          payloads.SetUserProfileResp, _FIVE, "change the caller's profile", errors=_PROFILE),
    query(Topic.PULL_USER_PROFILE, Area.PROFILES, Target.SELF, payloads.PullUserProfileReq,
          payloads.UserProfiles, _FIVE, "profiles of users", errors=_PROFILE),
    query(Topic.PULL_OWN_PROFILE, Area.PROFILES, Target.SELF, payloads.UserProfileInput,
          payloads.UserProfile, _FIVE, "the caller's profile", errors=_PROFILE),
    query(Topic.SEARCH_USER_PROFILE, Area.PROFILES, Target.SELF, payloads.SearchUserProfile,
          payloads.UserProfile, _FIVE, "the user with a unique id", errors=_PROFILE),
    query(Topic.UPD_PROFILE_PERMISS, Area.PROFILES, Target.SELF, payloads.UserProfilePermission,
          None, _FIVE, "who may see the caller's profile", errors=_PROFILE),
    query(Topic.Q_PROFILE_PERMISS, Area.PROFILES, Target.SELF, payloads.UserProfileInput,
          payloads.UserProfilePermission, _FIVE, "who may see the caller's profile",
          errors=_PROFILE),
    query(Topic.Q_SIMPLE_USER_PROFILE, Area.PROFILES, None, None, None, _NONE,
          "profiles of users, in short"),

    # Groups managed by clients (sdk5 8.5).
    query(Topic.CHANNEL_CREATE, Area.MANAGED, Target.GROUP, payloads.ChannelsInput,
          payloads.ChannelsOutput, _FIVE, "make a group", reply_optional=True, errors=_GROUP),
    query(Topic.UP_CHANNEL_INFO, Area.MANAGED, Target.GROUP, payloads.ChannelsInput,
          payloads.ChannelsOutput, _FIVE, "change what a group is called and who may do what",
          reply_optional=True, errors=_GROUP),
    query(Topic.Q_CHANNEL_INFO, Area.MANAGED, Target.GROUP, payloads.MultiChannels,
          payloads.ChannelsListResult, _FIVE, "what groups are called and who may do what",
          errors=_GROUP),
    query(Topic.CHANNEL_MEM_KICK, Area.MANAGED, Target.GROUP, payloads.ModifyChannelsInput, None,
          _FIVE, "remove members", errors=_GROUP),
    query(Topic.CHANNEL_MEM_QUIT, Area.MANAGED, Target.GROUP, payloads.ModifyChannelsInput, None,
          _FIVE, "leave", errors=_GROUP),
    query(Topic.CHANNEL_DISMISS, Area.MANAGED, Target.GROUP, payloads.ModifyChannelsInput, None,
          _FIVE, "dissolve a group", errors=_GROUP),
    query(Topic.CHANNEL_TRANSFER, Area.MANAGED, Target.GROUP, payloads.ModifyChannelsInput, None,
          _FIVE, "give a group to another owner", errors=_GROUP),
    query(Topic.UP_CHANNEL_MANAGER, Area.MANAGED, Target.GROUP, payloads.ModifyChannelsInput, None,
          _FIVE, "make members managers, or no longer", errors=_GROUP),
    query(Topic.UP_CHANNEL_FOLLOW, Area.MANAGED, Target.GROUP, payloads.ModifyChannelsInput, None,
          _FIVE, "follow members, or no longer", errors=_GROUP),
    query(Topic.Q_CHANNEL_MEM, Area.MANAGED, Target.GROUP, payloads.ChannelsQueryInput,
          payloads.ChannelsListResult, _FIVE, "members with a role", errors=_GROUP),
    query(Topic.Q_CHANNEL_SPE_MEM, Area.MANAGED, Target.GROUP, payloads.ChannelsQueryInput,
          payloads.ChannelsListResult, _FIVE, "members by their ids", errors=_GROUP),
    query(Topic.Q_CHANNEL_FOLLOW, Area.MANAGED, Target.SELF, payloads.ChannelsQueryInput,
          payloads.ChannelsListResult, _FIVE, "whom the caller follows", errors=_GROUP),
    query(Topic.UP_CHANNEL_MEM, Area.MANAGED, Target.GROUP, payloads.ChannelsMemberUpdateInput,
          payloads.ChannelsOutput, _FIVE, "change a member's name in a group",
          reply_optional=True, errors=_GROUP),
    query(Topic.UP_CHANNEL_REMARK, Area.MANAGED, Target.GROUP, payloads.ChannelsMemberUpdateInput,
          None, _FIVE, "how the caller calls a group", errors=_GROUP),
    query(Topic.Q_CHANNEL_REMARK, Area.MANAGED, None, None, None, _NONE,
          "how the caller calls groups"),
    query(Topic.CHANNEL_MEM_JOIN, Area.MANAGED, Target.GROUP, payloads.ChannelsMembersInput,
          payloads.ChannelsOutput, _FIVE, "join, or ask to", errors=_GROUP),
    query(Topic.CHANNEL_MEM_INVITE, Area.MANAGED, Target.GROUP, payloads.ChannelsMembersInput,
          payloads.ChannelsOutput, _FIVE, "invite users", errors=_GROUP),
    query(Topic.CHANNEL_APPLY_RESP, Area.MANAGED, Target.GROUP,
          payloads.ChannelsMemberResponseInput, payloads.ChannelsOutput, _FIVE,
          "take or refuse an invitation or an application", errors=_GROUP),
    query(Topic.Q_CHANNEL_APPLY_LIST, Area.MANAGED, Target.SELF, payloads.ChannelsQueryInput,
          payloads.ChannelsListResult, _FIVE, "invitations and applications", errors=_GROUP),
    query(Topic.Q_CHANNEL_MEM_JOIN, Area.MANAGED, Target.SELF, payloads.ChannelsQueryInput,
          payloads.ChannelsListResult, _FIVE, "groups that the caller is in, by role",
          errors=_GROUP),
    query(Topic.Q_CHANNEL_MEM_SPE_JOIN, Area.MANAGED, Target.SELF, payloads.ChannelsQueryInput,
          payloads.ChannelsListResult, _FIVE, "groups that the caller is in, by their ids",
          errors=_GROUP),

    # Friends (sdk5 8.5).
    query(Topic.FRIEND_ADD, Area.FRIENDS, Target.SELF, payloads.FriendInput,
          payloads.ChannelsOutput, _FIVE, "ask a user to be a friend", errors=_FRIEND),
    query(Topic.FRIEND_DEL, Area.FRIENDS, Target.SELF, payloads.FriendsInput, None, _FIVE,
          "friends no longer", errors=_FRIEND),
    query(Topic.FRIEND_HANDLE, Area.FRIENDS, Target.SELF, payloads.FriendInput, None, _FIVE,
          "take or refuse an application", errors=_FRIEND),
    query(Topic.FRIEND_SET_PF, Area.FRIENDS, Target.SELF, payloads.FriendProfileInput,
          payloads.FriendProfileOutput, _FIVE, "how the caller calls a friend",
          reply_optional=True, errors=_FRIEND),
    query(Topic.FRIEND_CHECK, Area.FRIENDS, Target.SELF, payloads.FriendsInput,
          payloads.FriendsCheckOutput, _FIVE, "whether users are friends", errors=_FRIEND),
    query(Topic.FRIENDS_INFO_QRY, Area.FRIENDS, Target.SELF, payloads.FriendsListInput,
          payloads.FriendUserInfos, _FIVE, "friends by their ids", errors=_FRIEND),
    query(Topic.FRIENDS_QUERY, Area.FRIENDS, Target.SELF, payloads.FriendQueryInput,
          payloads.ChannelsListResult, _FIVE, "friends, or applications", errors=_FRIEND),
    query(Topic.FRIEND_AUTH_SET, Area.FRIENDS, Target.SELF, payloads.FriendLevelSet, None, _FIVE,
          "who may become a friend of the caller", errors=_FRIEND),
    query(Topic.FRIEND_AUTH_GET, Area.FRIENDS, Target.SELF, payloads.FriendInput,
          payloads.FriendLevelSet, _FIVE, "who may become a friend of the caller", errors=_FRIEND),
    query(Topic.FRIEND_APPLY_DEL, Area.FRIENDS, None, None, None, _NONE, "drop an application"),
)
# fmt: on
