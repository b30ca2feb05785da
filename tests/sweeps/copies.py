"""Folders of copies of a cell, made by hand, as training leaves them."""

import json

# An epoch has 40 updates here, and a run 10 epochs.
DERIVED = {'updates_per_epoch': 40.0, 'views': 8, 'updates': 400}


def write(folder, losses, *, status='stopped', update=0, checkpoint=0, top1=None, reason=''):
  """Writes a run.

  Args:
    folder: of it.
    losses: update -> loss of the line of training metrics there.
    status, update, reason: of status.json; without an update if it is 0.
    checkpoint: update of the newest one, if not 0.
    top1: at the end.
  """
  folder.mkdir(parents=True, exist_ok=True)
  details = {'update': update} if update else {}
  (folder / 'status.json').write_text(json.dumps(
      {'status': status, 'updates': DERIVED['updates'], 'reason': reason, **details}))
  (folder / 'run.json').write_text(json.dumps({'derived': DERIVED}))
  lines = [{'update': u, 'split': 'train_views', 'loss': loss} for u, loss in losses.items()]
  if top1 is not None:
    lines.append({'update': DERIVED['updates'], 'split': 'test', 'top1': top1})
  (folder / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
  if checkpoint:
    (folder / 'checkpoints' / str(checkpoint)).mkdir(parents=True)
