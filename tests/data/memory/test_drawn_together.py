"""Updates whose numbers are drawn together are those that are drawn one by one."""

import jax
import numpy as np
import pytest

from nfnets_am.data import ops
from nfnets_am.data import orders
from nfnets_am.data import views
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.data.memory import sources

N, U = 21, 4
# Mixed by the words of all ops together and by words of their own, with partners of each kind.
WAYS = [
    'pad_crop(2) | flip() | normalise() | cutout(4)',
    *(f"pad_crop(2) | mix('mixup() | random_rows() | vh_mixup()', partners={policy!r}) | "
      "randaugment(num_ops=2, contrast='fixed') | normalise()"
      for policy in ('batch', 'fresh', 'pairs', 'permutation')),
]


@pytest.mark.parametrize('n, neighbouring', [(3, False), (2, True), (0, False)])
@pytest.mark.parametrize('text', WAYS)
def test_updates_drawn_together_are_those_drawn_alone(monkeypatch, text, n, neighbouring):
  rng = np.random.default_rng(0)
  split = sources.Split(rng.integers(0, 256, (N, 8, 8, 3), np.uint8),
                        rng.integers(0, 10, N).astype(np.int32))
  ordering, partners = orders.pairs(np.zeros(N, np.int32), U) if 'pairs' in text else (None, None)
  plan = views.ViewPlan(
      examples=N, unique=U, multiplicity=n, neighbouring=neighbouring, shuffle_seed=0,
      layout='image_major', ordering=ordering, partner_ordering=partners)

  def drawn(rows):
    monkeypatch.setattr(memory_batches, '_ROWS', rows)
    return list(memory_batches.host_batches(split, plan, ops.parse(text), 3, 1, 9, apply='device'))

  alone = drawn(1)
  assert [batch['index'].shape for batch in alone] == [(plan.rows,)] * 8
  # All at once, and in parts of three, three and two.
  for rows in (8 * plan.rows, 3 * plan.rows + 1):
    jax.tree.map(np.testing.assert_array_equal, drawn(rows), alone)
