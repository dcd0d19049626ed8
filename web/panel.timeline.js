// The time line: what was when in the last minutes, and how often and how long.

const LABELLED = 0.14; // part of the width that a word needs
const SHOWN_S = [60, 120, 300, 600, 1800, 3600];

export class Timeline {
  constructor() {
    this.rows = null;
    this.at = 0;
    setInterval(() => this.draw(), 1000);
  }

  take(rows) {
    this.rows = rows;
    this.at = performance.now();
    this.draw();
  }

  draw() {
    if (!this.rows) return;
    const later = (performance.now() - this.at) / 1000;
    const oldest = Math.max(...Object.values(this.rows).map((r) => (r.spans[0] || [0])[0])) + later;
    const shown = SHOWN_S.find((s) => s >= oldest) || SHOWN_S[SHOWN_S.length - 1];
    for (const box of document.querySelectorAll('.spans')) {
      this.drawRow(box, this.rows[box.dataset.row].spans, later, shown);
    }
    const axis = document.getElementById('axis');
    axis.replaceChildren(...(innerWidth < 600 ? [1, 0.5, 0] : [1, 0.75, 0.5, 0.25, 0]).map((part) => {
      const mark = document.createElement('span');
      mark.textContent = part ? `−${words(part * shown)}` : 'now';
      mark.style.left = `${100 * (1 - part)}%`;
      return mark;
    }));
    document.getElementById('counts').textContent = this.counts(later);
  }

  drawRow(box, spans, later, shown) {
    const pieces = [];
    spans.forEach(([age, value], i) => {
      const begin = Math.min(age + later, shown);
      const end = i + 1 < spans.length ? spans[i + 1][0] + later : 0;
      if (!value || end >= shown) return;
      const piece = document.createElement('i');
      piece.dataset.kind = box.dataset.row === 'mode' ? value : 'human';
      piece.title = value.replace('_', ' ');
      if (begin - end > LABELLED * shown) piece.textContent = piece.title;
      piece.style.left = `${100 * (1 - begin / shown)}%`;
      piece.style.width = `${(100 * (begin - end)) / shown}%`;
      pieces.push(piece);
    });
    box.replaceChildren(...pieces);
  }

  counts(later) {
    const part = (row, name) => {
      const { count, total_s: total, spans } = this.rows[row];
      const open = spans.length && spans[spans.length - 1][1];
      return `${name}: ${count} × override, ${words(total + (open ? later : 0))} in all`;
    };
    return `${part('gripper', 'Gripper')} · ${part('arm', 'Arm')}`;
  }
}

function words(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
}
