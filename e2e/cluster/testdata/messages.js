// Node's side of the comparison in cluster_speed_test.go: prints one number, messages
// (or round trips, or forks) a second. Usage: node messages.js flood|echo|fork <count>
const cluster = require('cluster');
const mode = process.argv[2];
const count = Number(process.argv[3]);

function rate(began, n) {
  console.log(n / (Number(process.hrtime.bigint() - began) / 1e9));
}

function flood() {
  const worker = cluster.fork();
  let n = 0, began;
  worker.on('message', () => {
    if (n++ === 0) began = process.hrtime.bigint();
    if (n === count) { rate(began, count); worker.kill(); }
  });
  worker.on('online', () => worker.send('go'));
}

function echo() {
  const worker = cluster.fork();
  let n = -1, began;
  worker.on('message', (msg) => {
    if (++n === 0) began = process.hrtime.bigint();
    if (n === count) { rate(began, count); worker.kill(); return; }
    worker.send(msg);
  });
  worker.on('online', () => worker.send({ cmd: 'echo', n: 1 }));
}

// fork measures from fork to listening.
function fork() {
  let n = 0, sum = 0;
  function next() {
    if (n++ === count) { console.log(1000 * count / sum); return; }
    const began = process.hrtime.bigint();
    const worker = cluster.fork();
    worker.on('listening', () => { sum += Number(process.hrtime.bigint() - began) / 1e6; worker.process.kill(); });
    worker.on('exit', next);
  }
  next();
}

if (cluster.isMaster) {
  ({ flood, echo, fork })[mode]();
} else if (mode === 'flood') {
  process.on('message', () => {
    let sent = 0;
    function batch() {
      for (let i = 0; i < 1000 && sent < count; i++, sent++) process.send({ cmd: 'notifyRequest' });
      if (sent < count) setImmediate(batch);
    }
    batch();
  });
} else if (mode === 'echo') {
  process.on('message', (msg) => process.send(msg));
} else {
  require('net').createServer().listen(0);
}
