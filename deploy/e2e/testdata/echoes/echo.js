// Tells what Node makes of a request: method, path and parameters by the URL
// standard, fields, body.
const http = require('http');
const server = http.createServer({ maxHeaderSize: 65536 }, (req, res) => {
  const parts = [];
  req.on('data', (part) => parts.push(part));
  req.on('end', () => {
    const url = new URL(req.url, 'http://node.test');
    const header = {};
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      (header[req.rawHeaders[i].toLowerCase()] ??= []).push(req.rawHeaders[i + 1]);
    }
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({
      method: req.method, target: req.url, path: decodeURIComponent(url.pathname), query: req.url.split('?').slice(1).join('?'), params: [...url.searchParams],
      header, body: Buffer.concat(parts).toString('latin1'),
    }));
  });
});
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2]), '127.0.0.1');
