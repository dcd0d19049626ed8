// Buttons and keys. Everything that is pressed and held ends when the finger, the key, the window
// or the connection goes.

const TWIST_MS = 50;
const ZEROS = 3; // of a motion that ended, since one may be lost on the way
const CONFIRM_MS = 1000;

const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];

export class Controls {
  constructor(link) {
    this.link = link;
    this.welcome = null;
    this.state = null;
    this.mode = 'until_agree';
    this.frame = 'base';
    this.held = new Map(); // button -> what ends it
    this.axes = new Map(); // button -> [axis, sign]
    this.zeros = 0;
    this.stopAt = null;
    this.bindButtons();
    this.bindKeys();
    this.chooseMode(this.mode);
    setInterval(() => this.sendTwist(), TWIST_MS);
    for (const event of ['blur', 'pagehide']) addEventListener(event, () => this.letGo());
    document.addEventListener('visibilitychange', () => document.hidden && this.letGo());
  }

  start(welcome) {
    this.welcome = welcome;
    this.showSpeed();
    this.showWidth();
  }

  // Presses

  // Every button has press(), and perhaps returns what shall happen when it is let go.
  bindButtons() {
    const bind = (button, press) => {
      button.press = press;
      button.addEventListener('pointerdown', (event) => {
        if (event.button) return;
        if (button.setPointerCapture) button.setPointerCapture(event.pointerId);
        this.down(button);
      });
      for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
        button.addEventListener(end, () => this.up(button));
      }
      button.addEventListener('contextmenu', (event) => event.preventDefault());
      // Enter on a focused button; a click that a pointer made has detail 1 and was done above.
      button.addEventListener('click', (event) => {
        if (event.detail === 0 && !this.held.has(button)) {
          this.down(button);
          this.up(button);
        }
      });
    };
    bind($('estop'), () => this.estop());
    for (const b of all('[data-gripper-mode]')) bind(b, () => this.chooseMode(b.dataset.gripperMode));
    for (const b of all('[data-gripper]')) bind(b, () => this.gripper(b.dataset.gripper));
    for (const b of all('[data-arm]')) bind(b, () => { this.link.send({ do: 'arm', word: b.dataset.arm }); });
    for (const b of all('[data-axis]')) bind(b, () => this.jog(b));
    for (const b of all('[data-call]')) bind(b, () => { this.link.send({ do: 'call', service: b.dataset.call }); });
    bind($('frame'), () => this.toggleFrame());
    bind($('send'), () => this.instruct($('text').value));
    bind($('clear'), () => this.instruct(''));
    $('width').addEventListener('input', () => this.showWidth());
    $('speed').addEventListener('input', () => this.showSpeed());
  }

  bindKeys() {
    const buttons = new Map(all('[data-key]').map((b) => [b.dataset.key, b]));
    addEventListener('keydown', (event) => {
      const typing = event.target.matches('input[type=text], input[type=password]');
      if (event.key === 'Escape' || (event.key === ' ' && !typing)) {
        event.preventDefault(); // a space would press the button that has the focus
        if (!event.repeat) this.down($('estop'));
        return;
      }
      if (event.target.id === 'text' && event.key === 'Enter') this.down($('send'));
      if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const button = buttons.get(event.key.toLowerCase());
      if (button) {
        event.preventDefault();
        this.down(button);
      }
    });
    addEventListener('keyup', (event) => {
      if (event.key === 'Escape' || event.key === ' ') {
        event.preventDefault();
        this.up($('estop'));
      } else if (event.target.id === 'text') {
        this.up($('send'));
      } else {
        const button = buttons.get(event.key.toLowerCase());
        if (button) this.up(button);
      }
    });
  }

  down(button) {
    if (button.disabled || button.hidden || this.held.has(button)) return;
    button.classList.add('pressed');
    this.held.set(button, button.press() || null);
  }

  up(button) {
    if (!this.held.has(button)) return;
    const end = this.held.get(button);
    this.held.delete(button);
    button.classList.remove('pressed');
    if (end) end();
  }

  letGo() {
    for (const button of [...this.held.keys()]) this.up(button);
  }

  // What buttons do

  estop() {
    const sent = this.link.estop();
    this.stopAt = performance.now();
    $('estop-note').textContent = sent ? 'stop sent …' : 'NOT CONNECTED: use the hardware stop';
  }

  chooseMode(mode) {
    this.mode = mode;
    for (const b of all('[data-gripper-mode]')) b.setAttribute('aria-checked', b.dataset.gripperMode === mode);
    $('gripper').dataset.mode = mode;
  }

  gripper(word) {
    const to = word === 'width' ? this.width() : word;
    this.link.send({ do: 'gripper', to, mode: this.mode });
    if (this.mode !== 'momentary' || word === 'release') return null;
    return () => this.link.send({ do: 'gripper', to: 'release', mode: 'momentary' });
  }

  jog(button) {
    this.axes.set(button, [Number(button.dataset.axis), Number(button.dataset.sign)]);
    this.sendTwist();
    return () => {
      this.axes.delete(button);
      this.zeros = ZEROS;
      this.sendTwist();
    };
  }

  sendTwist() {
    if (!this.axes.size && !this.zeros) return;
    if (!this.axes.size) this.zeros -= 1;
    const velocity = [0, 0, 0, 0, 0, 0];
    for (const [axis, sign] of this.axes.values()) velocity[axis] += sign;
    const part = $('speed').value / 100;
    for (const [from, largest] of [[0, this.welcome.speed], [3, this.welcome.rotation_speed]]) {
      const length = Math.hypot(...velocity.slice(from, from + 3));
      for (let i = from; i < from + 3; i += 1) {
        velocity[i] *= (part * largest) / Math.max(length, 1);
      }
    }
    this.link.send({ do: 'twist', velocity, frame: this.frame });
  }

  toggleFrame() {
    this.frame = this.frame === 'base' ? 'tool' : 'base';
    $('frame').dataset.frame = this.frame;
    $('frame').querySelector('span').textContent = `${this.frame} frame`;
  }

  instruct(text) {
    if (this.link.send({ do: 'instruction', text }) >= 0) $('text').value = '';
  }

  width() {
    const [closed, open] = this.welcome.widths;
    return closed + ((open - closed) * $('width').value) / 100;
  }

  showWidth() {
    $('width-text').textContent = `${Math.round(1000 * this.width())} mm`;
  }

  showSpeed() {
    $('speed-text').textContent = `${Math.round($('speed').value * 10 * this.welcome.speed)} mm/s`;
  }

  // What may be pressed

  show(state, alive) {
    this.state = state;
    const { safety } = state ? state.mode : {};
    const { desk, override, services } = state || { desk: {}, override: {}, services: {} };
    const mine = alive && desk.holder === this.welcome.you;
    const free = desk.holder === null || mine;
    const moves = alive && safety === 'ARMED';
    const can = (buttons, yes) => buttons.forEach((b) => { b.disabled = !yes; });
    can(all('[data-gripper], [data-gripper-mode]'), moves && override.gripper !== 'STOPPED');
    can(all('[data-arm]'), moves && free && override.arm !== 'STOPPED');
    can(all('[data-axis]'), moves && mine);
    can(all('[data-call=stop], [data-call=start]'), alive);
    can(all('[data-call=arm]'), alive && safety === 'DISARMED');
    can(all('[data-call=disarm]'), alive && safety === 'ARMED');
    can(all('[data-call=reset_estop]'), alive && safety === 'ESTOPPED');
    can([$('frame'), $('send'), $('clear'), $('text'), ...all('[data-call=save_last]')], alive);
    all('[data-call=save_last]').forEach((b) => { b.hidden = !(services && services.save_last); });
    all('[data-arm=takeover]').forEach((b) => b.classList.toggle('mine', mine));
    // A button that cannot be pressed any more is not pressed.
    for (const button of [...this.held.keys()]) if (button.disabled) this.up(button);
    this.showStop(safety, alive);
  }

  showStop(safety, alive) {
    const note = $('estop-note');
    if (this.link.waitingStop) {
      note.textContent = 'NOT CONNECTED: use the hardware stop';
    } else if (alive && safety === 'ESTOPPED') {
      note.textContent = 'stopped: reset, then arm';
      this.stopAt = null;
    } else if (this.stopAt !== null) {
      const late = performance.now() - this.stopAt > CONFIRM_MS;
      note.textContent = late ? 'NOT CONFIRMED: use the hardware stop' : 'stop sent …';
    } else if (alive) {
      note.innerHTML = '<kbd>Esc</kbd> <kbd>Space</kbd>';
    } else {
      note.textContent = 'not connected';
    }
  }
}
