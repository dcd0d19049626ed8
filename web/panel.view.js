// What the page shows of a state.

const $ = (id) => document.getElementById(id);
const GLYPHS = {
  AUTONOMOUS: '▶', INTERVENTION: '☞', HOLD: '❚❚', STOPPED: '■', DISARMED: '○', ESTOPPED: '✖', SILENT: '?',
  LOST: '⚡',
};
const NAMES = { ESTOPPED: 'E‑STOPPED', SILENT: 'CONTROL SILENT', LOST: 'CONNECTION LOST' };
const SILENT_S = 3; // without a word of control_node, which speaks once a second
const OLD_S = 1; // for cameras, joints and chunks

export class View {
  constructor() {
    this.cameras = [];
    this.welcome = null;
    this.last = '';
  }

  start(welcome) {
    this.welcome = welcome;
    document.title = `${welcome.robot} panel`;
    this.cameras = welcome.cameras.map((name) => this.camera(name));
    $('cameras').replaceChildren(...this.cameras.map((c) => c.box));
    $('tasks').replaceChildren(...welcome.tasks.map((task) => {
      const option = document.createElement('option');
      option.value = task;
      return option;
    }));
  }

  camera(name) {
    const box = document.createElement('div');
    box.className = 'camera stale';
    const [canvas, label, old] = ['canvas', 'div', 'div'].map((t) => document.createElement(t));
    label.className = 'name';
    label.textContent = name.replace('_', ' ');
    old.className = 'old';
    old.textContent = 'no picture yet';
    box.append(canvas, old, label);
    return { name, box, canvas, old, pen: canvas.getContext('2d') };
  }

  async picture(number, blob) {
    const camera = this.cameras[number];
    if (!camera) return;
    const image = await createImageBitmap(blob);
    if (camera.canvas.width !== image.width || camera.canvas.height !== image.height) {
      camera.canvas.width = image.width;
      camera.canvas.height = image.height;
      camera.box.style.aspectRatio = `${image.width} / ${image.height}`;
    }
    camera.pen.drawImage(image, 0, 0);
    image.close();
  }

  // The mode, or what is more important than the mode.
  static kind(state) {
    const { safety, mode } = state.mode;
    if (state.control_age_s === null || state.control_age_s > SILENT_S) return 'SILENT';
    return safety && safety !== 'ARMED' ? safety : mode || 'SILENT';
  }

  show(state) {
    const kind = View.kind(state);
    this.last = NAMES[kind] || kind;
    banner(kind, [state.mode.reason || (kind === 'AUTONOMOUS' ? state.mode.policy : ''), help(state, kind)]
      .filter(Boolean).join('. '));
    this.owners(state, kind);
    this.streams(state);
    $('instruction').textContent = state.instruction ? `“${state.instruction}”` : 'no instruction';
    this.people(state.desk);
  }

  // What was last known may not be true any more.
  lose(why) {
    banner('LOST', `${why}${this.last ? `. Last known: ${this.last}` : ''}`);
  }

  owners(state, kind) {
    const { override } = state;
    const since = (channel) => (override[`${channel}_since_s`] === undefined
      ? '' : ` for ${Math.round(override[`${channel}_since_s`])} s`);
    const width = state.joints.gripper;
    const opening = typeof width === 'number' ? `${(1000 * width).toFixed(0)} mm open` : '';
    const gripper = override.gripper_source;
    owner('gripper', gripper ? `☞ ${gripper}` : ownerless(override.gripper), [
      gripper ? `${(override.gripper_mode || '').replace('_', ' ')}${since('gripper')}` : '', opening,
    ], gripper ? 'human' : '');
    const arm = override.arm_source;
    owner('arm', arm ? `☞ ${arm}` : ownerless(override.arm),
      [arm ? `${(override.arm || '').toLowerCase()}${since('arm')}` : ''], arm ? 'human' : '');
    const { safety } = state.mode;
    owner('permission', { ARMED: '✔︎ armed', DISARMED: '○ disarmed', ESTOPPED: '✖ e‑stop' }[safety] || '–',
      [safety === 'ARMED' ? 'the arm may move' : safety ? 'the arm may not move' : ''],
      kind === 'ESTOPPED' ? 'danger' : '');
  }

  streams(state) {
    const rows = Object.entries(state.streams).map(([name, stream]) => {
      const row = document.createElement('tr');
      const old = stream.age_s === null || stream.age_s > OLD_S;
      row.classList.toggle('bad', old);
      const age = stream.age_s === null ? 'never' : `${stream.age_s.toFixed(stream.age_s < 10 ? 2 : 0)} s`;
      for (const text of [name, `${stream.hz.toFixed(1)} Hz`, old ? `! ${age}` : age]) {
        row.insertCell().textContent = text;
      }
      row.title = stream.topic;
      return row;
    });
    $('streams').replaceChildren(...rows);
    for (const camera of this.cameras) {
      const stream = state.streams[camera.name.replace('_', ' ')] || { age_s: null };
      const problem = state.camera_problems[camera.name];
      camera.box.classList.toggle('stale', Boolean(problem) || stream.age_s === null || stream.age_s > OLD_S);
      camera.old.textContent = problem || (stream.age_s === null ? 'no picture yet' : `OLD: ${stream.age_s.toFixed(1)} s`);
    }
    $('problems').replaceChildren(...state.problems.map(({ name, level, text }) => {
      const item = document.createElement('li');
      item.className = level > 1 ? 'error' : '';
      item.textContent = `${name}: ${text}`;
      return item;
    }));
  }

  people(desk) {
    const { you } = this.welcome;
    const mine = desk.holder === you;
    const holder = desk.panels.find((p) => p.number === desk.holder);
    $('arm-note').textContent = mine ? 'You have the arm: press and hold to move it.'
      : holder ? `${holder.name} has the arm.`
        : desk.kept_hold ? 'The arm holds for a panel that is gone: take over or release it.'
          : 'Take over to move the arm by hand.';
    const others = desk.panels.filter((p) => p.number !== you).map((p) => p.name);
    $('who').textContent = `You are panel ${you}${others.length ? `; also here: ${others.join(', ')}` : ''}.`;
  }

  answer(message) {
    const box = $('answer');
    box.textContent = `${message.ok ? '✔︎' : '✖'} ${message.text}`;
    box.classList.toggle('bad', !message.ok);
  }
}

function banner(kind, text) {
  $('banner').dataset.mode = kind;
  $('glyph').textContent = GLYPHS[kind] || '?';
  $('mode').textContent = NAMES[kind] || kind;
  $('reason').textContent = text;
}

// What would let the arm move again.
function help(state, kind) {
  if (kind === 'SILENT') return 'control_node says nothing: does it run?';
  if (kind === 'ESTOPPED') return 'Reset it, then arm';
  if (kind === 'DISARMED') return 'Arm it to let it move';
  return state.override.arm === 'STOPPED' ? 'Start it before you override' : '';
}

function ownerless(state) {
  return { POLICY: 'policy', STOPPED: 'nobody' }[state] || '–';
}

function owner(channel, text, more, kind) {
  const box = $(`owner-${channel}`);
  box.className = `owner ${kind}`;
  box.querySelector('strong').textContent = text;
  box.querySelector('span').textContent = more.filter(Boolean).join(', ');
}
