"""How a page looks: light, dark and printed. Colours are told apart with every kind of eyes."""

from __future__ import annotations

# After Okabe and Ito (2008), who chose them for colour-blind readers; each with the variant that
# is readable on a dark ground. `figure` draws with the light ones and puts the variables in place.
COLOURS: dict[str, tuple[str, str]] = {
    'ink': ('#1d2733', '#e4eaf1'),
    'pale': ('#586776', '#9fb0c0'),
    'line': ('#dfe5ea', '#34404c'),
    'ground': ('#f4f6f8', '#10161c'),
    'card': ('#fefefe', '#18212a'),
    'panel': ('#f3f5f7', '#1f2a34'),
    'blue': ('#0a6cab', '#58aee6'),
    'orange': ('#d97f06', '#f2a93b'),
    'green': ('#0b8a63', '#3cc49a'),
    'red': ('#c8500a', '#ff8552'),
    'purple': ('#a8578a', '#dc93c2'),
    'amber': ('#e0a30f', '#edb93f'),
    'maroon': ('#a1260d', '#f2664a'),
    'sky': ('#3f9fd6', '#7cc7f2'),
}
"""Name -> (on a light ground, on a dark one)."""

BANDS: dict[str, tuple[str, str]] = {
    'AUTONOMOUS': ('#cfe9df', '#1c4a3c'),
    'HOLD': ('#fbe6b8', '#5a4613'),
    'STOPPED': ('#f6cdbb', '#6b2a14'),
    'INTERVENTION': ('#cbdff2', '#1d3f61'),
}
"""Mode -> the colour behind curves while it holds."""

SOLID = {'AUTONOMOUS': 'green', 'HOLD': 'amber', 'STOPPED': 'maroon', 'INTERVENTION': 'blue'}
"""Mode -> the colour of a bar that stands for it."""

OTHER_BAND = ('#e3e6ea', '#3a444e')

_RULES = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
header { border-radius: 12px; padding: 26px 30px; color: #fff; background: var(--bad); }
header.good { background: var(--good); }
header.middle { background: var(--middle); }
header.plain { background: #33475b; }
header h1 { margin: 0; font-size: 40px; line-height: 1.15; letter-spacing: .02em; }
header p { margin: 6px 0 0; font-size: 17px; overflow-wrap: anywhere; }
header small { display: block; margin-top: 12px; opacity: .92; font-size: 14px;
  overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px 22px 20px; margin-top: 18px; overflow-x: auto; }
h2 { margin: 0 0 10px; font-size: 18px; }
h3 { margin: 16px 0 6px; font-size: 15px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--pale); font-weight: 600; border-bottom: 2px solid var(--line);
  padding: 4px 12px 4px 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: 5px 12px 5px 0; vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.group, span.group { color: var(--pale); font-weight: 600; }
code { font: 13px/1.45 ui-monospace, 'DejaVu Sans Mono', monospace; overflow-wrap: anywhere; }
a { color: var(--blue); }
video, img { display: block; width: 100%; height: auto; border-radius: 8px; }
video { background: #181c22; max-width: 860px; margin: 0 auto; }
svg.plot { display: block; width: 100%; height: auto; }
@media screen { svg.plot { min-width: 720px; } }
svg.plot text { font-family: 'DejaVu Sans', Verdana, system-ui, sans-serif; }
.pill { display: inline-block; border-radius: 999px; padding: 1px 10px; font-size: 12.5px;
  font-weight: 700; color: #fff; background: #64707d; white-space: nowrap; }
.pill.good { background: var(--good); } .pill.bad { background: var(--bad); }
.pill.middle { background: var(--middle); }
.note { color: var(--pale); font-size: 13.5px; margin: 8px 0 0; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 0 18px; }
.bar { display: flex; height: 18px; border-radius: 5px; overflow: hidden; margin: 2px 0 14px;
  background: var(--line); }
.bar i { display: block; }
ul.findings { list-style: none; margin: 0; padding: 0; }
ul.findings li { border-left: 4px solid var(--line); padding: 2px 0 2px 12px; margin: 0 0 10px; }
ul.findings li.bad { border-color: var(--bad); } ul.findings li.middle { border-color: #d8900f; }
ul.findings li.good { border-color: var(--good); }
ul.findings small { display: block; color: var(--pale); font-size: 13.5px; }
.moments { display: grid; grid-template-columns: repeat(auto-fill, minmax(315px, 1fr));
  gap: 16px; }
figure { margin: 0; break-inside: avoid; }
figure .shots { display: flex; gap: 4px; align-items: flex-start; }
figure .shots img { border-radius: 4px; flex: 1 1 0; min-width: 0; max-width: 240px; }
figcaption { font-size: 13.5px; margin-top: 4px; } figcaption b { font-weight: 650; }
figcaption small { color: var(--pale); display: block; }
@media print {
  body { background: #fff; } main { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid #bbb; border-radius: 0; padding: 12px 0;
    overflow: visible; }
  header, svg.plot, li, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; }
}
"""


def css() -> str:
    """Return the style sheet of a page."""
    light, dark = (_variables(i) for i in range(2))
    modes = '\n'.join(f'.{name} {{ background: var(--band-{name}); }}' for name in BANDS)
    solid = '\n'.join(f'.bar .{name} {{ background: var(--{colour}); }}'
                      for name, colour in SOLID.items())
    return (f':root {{ color-scheme: light dark; {light} }}\n'
            f'@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n'
            f'{_RULES}{modes}\n{solid}\n')


def variables() -> dict[str, str]:
    """Return hex colour -> CSS variable, for what was drawn on a light ground."""
    found = {light: f'var(--{name})' for name, (light, _) in COLOURS.items()}
    found.update({light: f'var(--band-{name})' for name, (light, _) in BANDS.items()})
    found[OTHER_BAND[0]] = 'var(--band-other)'
    return found


def _variables(which: int) -> str:
    pairs = {f'--{name}': pair[which] for name, pair in COLOURS.items()}
    pairs.update({f'--band-{name}': pair[which] for name, pair in BANDS.items()})
    pairs['--band-other'] = OTHER_BAND[which]
    pairs.update({'--good': ('#1d7f4c', '#23875a')[which], '--bad': ('#b3362b', '#b4473a')[which],
                  '--middle': ('#a86a08', '#99650f')[which]})
    return ' '.join(f'{name}: {value};' for name, value in pairs.items())
