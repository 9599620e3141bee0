// Node's cluster with the reload that its users write: fork a successor, and when it
// listens, disconnect the predecessor.
const cluster = require('cluster'), fs = require('fs'), http = require('http'), http2 = require('http2');
const [host, port] = process.env.BENCH_ADDR.split(':');

if (cluster.isPrimary) {
  const workers = 2;
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('error', () => {});
  process.on('SIGHUP', () => {
    for (const old of Object.values(cluster.workers).filter((w) => !w.leaving).slice(0, workers)) {
      old.leaving = true;
      const next = cluster.fork();
      next.once('listening', () => { if (old.isConnected()) old.disconnect(); });
    }
  });
  process.on('SIGTERM', () => process.exit(0));
} else {
  const answer = (req, res) => {
    const head = { 'X-Pid': String(process.pid) };
    if (req.url === '/big') { res.writeHead(200, { ...head, 'Content-Length': fs.statSync(process.env.BENCH_BIG).size }); fs.createReadStream(process.env.BENCH_BIG).pipe(res); return; }
    const done = () => { res.writeHead(200, head); res.end('hello\n'); };
    if (req.method === 'POST' || req.method === 'PUT') { req.on('data', () => {}); req.on('end', done); return; }
    if (req.url === '/slow') { setTimeout(done, 200); return; }
    done();
  };
  let server;
  if (process.env.BENCH_CERT) {
    const pem = fs.readFileSync(process.env.BENCH_CERT);
    server = http2.createSecureServer({ key: pem, cert: pem }, answer);
  } else {
    server = http.createServer({ keepAliveTimeout: 60000 }, answer);
  }
  server.listen(Number(port), host);
}
