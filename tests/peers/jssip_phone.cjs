// JsSIP under node as a phone of RFC 7118: JSON lines in, JSON lines out (see jssip_phone.py).
// node jssip_phone.cjs FOLDER '{"url": ..., "user": ..., "password": ..., "domain": ...}'
const { createRequire } = require('node:module');
const load = createRequire(process.argv[2] + '/package.json');
const readline = require('node:readline');

const said = JSON.parse(process.argv[3]);
const tell = (event, facts = {}) => process.stdout.write(JSON.stringify({ event, ...facts }) + '\n');
const WebSocket = load('ws');
global.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, said.protocols ?? protocols, { origin: said.origin, ca: said.ca, servername: said.name });
    this.on('unexpected-response', (_, answer) => {
      tell('turned-away', { status: answer.statusCode });
      this.emit('error', new Error('refused'));
    });
  }
};
global.window = global; // it rings only where there is WebRTC; here nobody answers, so there need not be more of it
global.RTCPeerConnection = class {};
const JsSIP = load('jssip');
let session;

const socket = new JsSIP.WebSocketInterface(said.url);
const uri = new JsSIP.URI('sip', said.user, said.domain);
const ua = new JsSIP.UA({
  sockets: [socket], uri: uri.toString(), authorization_user: said.user, password: said.password,
  register_expires: 60, user_agent: 'JsSIP', session_timers: false, connection_recovery_min_interval: 1,
});
ua.on('connected', () => tell('connected'));
ua.on('registered', ({ response }) => tell('registered', { contact: response.getHeader('Contact') }));
ua.on('unregistered', () => tell('unregistered'));
ua.on('registrationFailed', ({ response }) => tell('refused', { status: response && response.status_code }));
ua.on('newRTCSession', ({ session: begun, request }) => {
  session = begun;
  session.on('failed', ({ cause }) => tell('failed', { cause }));
  tell('incoming', { caller: request.from.uri.user, name: request.from.display_name, uri: request.ruri.toString() });
});
ua.on('disconnected', () => tell('disconnected'));
ua.start();

const commands = {
  quit: () => { ua.stop(); setTimeout(() => process.exit(0), 300); },
  unregister: () => ua.unregister(),
  register: () => ua.register(),
  cut: () => socket._ws.terminate(),
  busy: () => session.terminate({ status_code: 486 }),
  options: (target) => ua.sendOptions(target, null, {
    eventHandlers: { succeeded: (e) => tell('options', { status: e.response.status_code }),
      failed: (e) => tell('options', { status: e.response ? e.response.status_code : 0, cause: e.cause }) },
  }),
};
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [name, value] = JSON.parse(line);
  commands[name](value);
}).on('close', () => commands.quit());
