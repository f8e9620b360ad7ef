// Makes calls of the server SDK for Node, one after the other. What to call comes as JSON on the
// standard input: {"options": {...}, "calls": [["Group.create", [{...}]], ...]}. The results go to
// the standard output as a JSON list; what an SDK function rejects with is {"rejected": text}.
'use strict';

const connect = require('rongcloud-sdk');

function found(modules, path) {
  return path.split('.').reduce((node, name) => node[name], modules);
}

async function run({ options, calls }) {
  const modules = connect(options);
  const results = [];
  for (const [path, args] of calls) {
    try {
      results.push(await found(modules, path)(...args));
    } catch (error) {
      results.push({ rejected: String(error) });
    }
  }
  return results;
}

let text = '';
process.stdin.on('data', (piece) => { text += piece; });
process.stdin.on('end', async () => {
  process.stdout.write(JSON.stringify(await run(JSON.parse(text))));
});
