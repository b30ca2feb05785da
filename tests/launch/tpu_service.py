"""A stand-in for the Cloud TPU service, reached by the real gcloud or by a stand-in for that too.

What becomes of a run's slices is a script: for each folder's name a list of lives, each a list of
steps. A life begins when a resource is created and goes one step on with every listing. Steps are
states ('ACTIVE'), 'FAILED: message', 'finish' (the run's status says finished), 'exit CODE text'
(the start-up script ends so), 'gone', and, as a first step, 'refuse CODE message'.
"""

import argparse
import http.server
import json
import os
import pathlib
import re
import shlex
import stat
import sys

# Flags that gcloud knows in its alpha track alone.
ALPHA = ('provisioning-model', 'max-run-duration', 'reservation')


class Service:
  """The service's state is a file, so that every process sees the same."""

  def __init__(self, path):
    self._path = pathlib.Path(path)

  def begin(self, lives: dict[str, list[list[str]]], list_errors: int = 0,
            refusal: str = '') -> None:
    """Writes the script; the first `list_errors` listings fail, or all with the refusal."""
    self._write({'lives': lives, 'resources': {}, 'calls': [], 'list_errors': list_errors,
                 'refusal': refusal})

  def read(self) -> dict:
    return json.loads(self._path.read_text())

  def create(self, name: str, script: str, request: dict) -> tuple[int, str]:
    state = self.read()
    folder = shlex.split(re.search('^FOLDER=(.*)$', script, re.MULTILINE)[1])[0]
    state['calls'].append(['create', name, request])
    life = state['lives'][pathlib.Path(folder).name].pop(0)
    if life[0].startswith('refuse'):
      self._write(state)
      _, code, message = life[0].split(' ', 2)
      return int(code), message
    state['resources'][name] = {'folder': folder, 'steps': life, 'state': 'ACCEPTED', 'why': ''}
    self._write(state)
    return 200, ''

  def list(self) -> tuple[int, str | list[dict]]:
    state = self.read()
    if state['refusal']:
      state['calls'].append(['list'])
      self._write(state)
      return 404, state['refusal']
    if state['list_errors']:
      state['list_errors'] -= 1
      self._write(state)
      return 503, 'The service is currently unavailable.'
    for name, resource in list(state['resources'].items()):
      if resource['steps']:
        self._step(state, name, resource, resource['steps'].pop(0))
    self._write(state)
    return 200, [
        {'name': f'projects/p/locations/z/queuedResources/{name}',
         'state': {'state': resource['state'], **(
             {'failedData': {'error': {'code': 8, 'message': resource['why']}}}
             if resource['why'] else {})}}
        for name, resource in state['resources'].items()]

  def delete(self, name: str) -> tuple[int, str]:
    state = self.read()
    state['calls'].append(['delete', name])
    found = state['resources'].pop(name, None)
    self._write(state)
    return (200, '') if found else (404, f'NOT_FOUND: {name} was not found')

  def _step(self, state, name, resource, step) -> None:
    folder = pathlib.Path(resource['folder'])
    if step == 'finish':
      (folder / 'status.json').write_text(
          json.dumps({'status': 'finished', 'update': 9, 'updates': 9}))
    elif step.startswith('exit '):
      _, code, text = step.split(' ', 2)
      (folder / 'exit.txt').write_text(f'{code}\n{text}\n')
    elif step == 'gone':
      del state['resources'][name]
    else:
      resource['state'], _, resource['why'] = step.partition(': ')

  def _write(self, state: dict) -> None:
    self._path.write_text(json.dumps(state))


def handler(service: Service):
  """Returns the HTTP face of the service, as gcloud speaks to it."""

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
      body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
      node = body['tpu']['nodeSpec'][0]['node']
      self._answer(*service.create(
          re.search('queuedResourceId=([^&]+)', self.path)[1], node['metadata']['startup-script'],
          {'spot': 'spot' in body, 'type': node['acceleratorType'],
           'runtime': node['runtimeVersion']}))

    def do_GET(self):
      if '/operations/' in self.path:
        self._answer(200, '')
        return
      code, found = service.list()
      self._answer(code, {'queuedResources': found} if code == 200 else found)

    def do_DELETE(self):
      self._answer(*service.delete(re.search('queuedResources/([^?]+)', self.path)[1]))

    def _answer(self, code, value):
      if code != 200:
        value = {'error': {'code': code, 'message': value, 'status': value.split(':')[0]}}
      elif value == '':
        value = {'name': 'projects/p/locations/z/operations/o', 'done': True, 'response': {}}
      data = json.dumps(value).encode()
      self.send_response(code)
      self.send_header('Content-Type', 'application/json')
      self.send_header('Content-Length', str(len(data)))
      self.end_headers()
      self.wfile.write(data)

    def log_message(self, *_):
      pass

  return Handler


def put_before_path(tmp_path: pathlib.Path, monkeypatch) -> Service:
  """Puts a stand-in for the gcloud command before all others; returns its service."""
  service = Service(tmp_path / 'service.json')
  bin_ = tmp_path / 'bin'
  bin_.mkdir()
  path = bin_ / 'gcloud'
  path.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {tmp_path / "service.json"} "$@"\n')
  path.chmod(path.stat().st_mode | stat.S_IXUSR)
  monkeypatch.setenv('PATH', f'{bin_}{os.pathsep}{os.environ["PATH"]}')
  return service


def main(state_path: str, argv: list[str]) -> int:
  """Stands in for the gcloud command: the three verbs that the launcher uses."""
  alpha, argv = argv[0] == 'alpha', argv[argv[0] == 'alpha':]
  assert argv[:3] == ['compute', 'tpus', 'queued-resources'], argv
  parser = argparse.ArgumentParser(allow_abbrev=False)
  verbs = parser.add_subparsers(dest='verb', required=True)
  for verb, needs, switches in (
      ('create', ('node-id', 'accelerator-type', 'runtime-version', 'metadata-from-file', 'scopes'),
       ('spot', 'async')),
      ('delete', (), ('force', 'async')),
      ('list', (), ())):
    sub = verbs.add_parser(verb, allow_abbrev=False)
    if verb != 'list':
      sub.add_argument('name')
    for flag in needs:
      sub.add_argument(f'--{flag}', required=True)
    for flag in switches:
      sub.add_argument(f'--{flag}', action='store_true')
    for flag in ('zone', 'format', 'project'):
      sub.add_argument(f'--{flag}', required=flag != 'project')
    sub.add_argument('--quiet', action='store_true')
    if alpha and verb == 'create':
      for flag in ALPHA:
        sub.add_argument(f'--{flag}')
  known = parser.parse_args(argv[3:])
  service = Service(state_path)
  if known.verb == 'create':
    path = known.metadata_from_file.removeprefix('startup-script=')
    code, answer = service.create(known.name, pathlib.Path(path).read_text(), {
        'spot': known.spot, 'type': known.accelerator_type, 'runtime': known.runtime_version,
        **{flag: getattr(known, flag.replace('-', '_')) for flag in ALPHA if alpha}})
  elif known.verb == 'delete':
    code, answer = service.delete(known.name)
  else:
    code, answer = service.list()
  if code != 200:
    print(f'ERROR: (gcloud.compute.tpus.queued-resources.{known.verb}) {code} {answer}',
          file=sys.stderr)
    return 1
  print(json.dumps(answer))
  return 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1], sys.argv[2:]))
