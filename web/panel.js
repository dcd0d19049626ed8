// Puts the panel together: one link, what it shows, what can be pressed.

import { Controls } from './panel.controls.js';
import { Link } from './panel.link.js';
import { Timeline } from './panel.timeline.js';
import { View } from './panel.view.js';

const view = new View();
const timeline = new Timeline();
const body = document.body.classList;
let welcome = null;
let state = null;

const link = new Link({
  welcome(message) {
    welcome = message;
    view.start(message);
    controls.start(message);
  },
  state(message) {
    state = message;
    view.show(message);
    controls.show(message, true);
  },
  timeline(message) { timeline.take(message.rows); },
  answer(message) { view.answer(message); },
  picture(camera, blob) { return view.picture(camera, blob); },
  up() {
    body.remove('lost', 'login');
    document.getElementById('login').hidden = true;
  },
  down(why) {
    body.add('lost');
    view.lose(why);
    controls.letGo();
    if (welcome) controls.show(state, false);
  },
  refused(why) {
    body.add('login');
    document.getElementById('login').hidden = false;
    document.getElementById('login-why').textContent = link.token ? `refused: ${why}` : '';
    document.getElementById('token').focus();
  },
});
const controls = new Controls(link);

document.getElementById('login').addEventListener('submit', (event) => {
  event.preventDefault();
  link.login(document.getElementById('token').value.trim());
});
