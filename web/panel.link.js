// The socket: says hello, answers every state so that both sides know of each other, and knows
// when it does not.

const SILENCE_MS = 1000; // without a state for so long nothing on the page is true any more
const GIVE_UP_MS = 2500; // then a new socket is tried
const RETRY_MS = 700;
const KEY = 'vla_ros panel token';

export class Link {
  // handlers: welcome(message), state(message), timeline(message), answer(message),
  // picture(camera, blob, done), up(), down(why), refused(why)
  constructor(handlers) {
    this.handlers = handlers;
    this.alive = false;
    this.seq = -1;
    this.waitingStop = false; // a stop that could not be sent yet
    this.stopSentOn = null; // the socket that an unconfirmed stop was sent on
    this.ids = 0;
    this.heard = performance.now();
    this.token = this.takeToken();
    setInterval(() => this.watch(), 100);
    this.open();
  }

  // The token stands behind #, which no browser sends; it does not stay in the address bar.
  takeToken() {
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    if (given) {
      sessionStorage.setItem(KEY, given);
      history.replaceState(null, '', location.pathname);
    }
    return sessionStorage.getItem(KEY) || '';
  }

  login(token) {
    this.token = token;
    sessionStorage.setItem(KEY, token);
    this.open();
  }

  open() {
    clearTimeout(this.retry);
    const socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/[^/]*$/, 'socket'));
    socket.binaryType = 'blob';
    this.socket = socket;
    this.refusal = '';
    this.heard = performance.now();
    socket.onopen = () => socket.send(JSON.stringify({ do: 'hello', token: this.token }));
    socket.onmessage = (event) => this.receive(socket, event.data);
    socket.onclose = () => this.closed(socket);
  }

  closed(socket) {
    if (socket !== this.socket) return;
    this.lose('the connection was closed');
    this.socket = null;
    if (this.refusal.includes('token') || this.refusal.includes('hello')) {
      this.handlers.refused(this.refusal);
    } else {
      if (this.refusal) this.handlers.down(this.refusal);
      this.retry = setTimeout(() => this.open(), RETRY_MS);
    }
  }

  watch() {
    const silent = performance.now() - this.heard;
    if (this.alive && silent > SILENCE_MS) this.lose('no word from the robot');
    if (this.socket && silent > GIVE_UP_MS) {
      const socket = this.socket;
      this.socket = null; // its end comes late, or never
      socket.onclose = socket.onmessage = null;
      socket.close();
      this.lose('no word from the robot');
      this.retry = setTimeout(() => this.open(), RETRY_MS);
    }
  }

  lose(why) {
    const was = this.alive;
    this.alive = false;
    this.seq = -1;
    this.handlers.down(why, was);
  }

  receive(socket, data) {
    if (socket !== this.socket) return;
    if (data instanceof Blob) {
      this.picture(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === 'state') {
      this.heard = performance.now();
      this.seq = message.seq;
      this.send({ do: 'beat' });
      if (message.mode.safety === 'ESTOPPED') this.stopSentOn = null;
      if (!this.alive) {
        this.alive = true;
        this.handlers.up();
        // What went into a socket that has died since may never have arrived.
        if (this.waitingStop || ![null, socket].includes(this.stopSentOn)) this.estop();
      }
    } else if (message.type === 'answer' && message.do === 'estop') {
      this.stopSentOn = null;
    } else if (message.type === 'refused') {
      this.refusal = message.text;
    }
    const handler = this.handlers[message.type];
    if (handler && message.type !== 'refused') handler(message);
  }

  async picture(data) {
    const camera = (await data.slice(0, 1).arrayBuffer().then((b) => new Uint8Array(b)))[0];
    try {
      await this.handlers.picture(camera, data.slice(1, data.size, 'image/jpeg'));
    } finally {
      this.send({ do: 'seen', camera });
    }
  }

  // Returns the number by which it is answered, or -1 when it could not be sent.
  send(message) {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) return -1;
    this.ids += 1;
    this.socket.send(JSON.stringify({ ...message, id: this.ids, seq: this.seq }));
    return this.ids;
  }

  // A stop that cannot be said now is said as soon as it can be, and one of which nothing was heard
  // when the connection was lost is said again.
  estop() {
    this.waitingStop = this.send({ do: 'estop' }) < 0;
    this.stopSentOn = this.waitingStop ? null : this.socket;
    return !this.waitingStop;
  }
}
