"""Training on adversarial images, with pairing and regularisation of logits (Summers 2021, ch. 3).

One objective says all of the chapter's methods, since they are terms of one sum (eq. 3.1, 3.2):

| method | keys |
|---|---|
| PGD (Madry et al. 2018) | attack |
| adversarial logit pairing | pairing='squared(coefficient=0.5)' |
| logit squeezing | squeezing=0.05; on clean images alone with alpha=1 |
| label smoothing | label_smoothing=0.1 |
| decoupled pairing | pairing='decoupled(ratio=0.125, beta=1e-3)' |
| LRM | the last two, and a mix of vh_mixup() or mixup() in data.augment |

Pixels are attacked: the objective's inputs are images in [0, 1], see attacks/crafting.py.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from nfnets_am import attacks
from nfnets_am.attacks import crafting as crafting_lib
from nfnets_am.core import registry
from nfnets_am.models import model
from nfnets_am.objectives import classification
from nfnets_am.objectives import objective
from nfnets_am.objectives import pairings
from nfnets_am.optim import checks

# In which mode the network is attacked, of the share of the training that is done. In training it
# normalises by the statistics of the attacked batch and drops features, as in Madry et al.'s code;
# at evaluation it takes the moving statistics, as in Kannan et al.'s. The thesis does not say.
CRAFTING = registry.Registry('crafting', {
    'evaluation': lambda progress: model.EVALUATION,
    'training': lambda progress: model.Mode(True, progress),
})


def adversarial(*, attack: str = 'pgd()', alpha: float = 0.0, pairing: str = '',
                squeezing: float = 0.0, label_smoothing: float = 0.0, spread: str = 'others',
                crafting: str = 'evaluation', together: bool = True) -> objective.Objective:
  """alpha J(x) + (1 - alpha) J(x'), a pairing of both logits, and squeezing of both.

  J is the cross-entropy of smoothed labels; the attack raises that of unsmoothed ones, of mixed
  rows too. A term that is 0 costs no forward pass, so that with alpha=0 and nothing else an update
  takes the attack's passes and one more. What leaves nothing of the attack, alpha=1 or an epsilon
  of 0 without further terms, is plain cross-entropy, bit for bit.

  Args:
    attack: one of attacks.ATTACKS with its keys, 'pgd(epsilon=0.03, step_size=0.0078, steps=10)'.
    alpha: share of the clean images' loss, in [0, 1]; the chapter's robust models have 0, Kannan et
      al. 0.5.
    pairing: one of pairings.PAIRINGS with its keys; '' is none.
    squeezing: weight of |f(x)|^2 + |f(x')|^2, of f(x) alone with alpha=1 and no pairing.
    label_smoothing: s in [0, 1).
    spread: one of smoothing.SPREADS; 'others' is the chapter's.
    crafting: one of CRAFTING. The moving statistics are left alone while crafting, which in
      Madry et al.'s code move with each step of the attack.
    together: where both are needed, whether clean and adversarial images are one batch, of one
      statistic for each norm (Kannan et al.), or two passes, the clean one first.

  Returns:
    An objective of images in [0, 1], with the metrics 'loss' (eq. 3.1, without further terms),
    'top1' of the same images in the same shares and, with a pairing, its own value 'pairing'.

  Raises:
    ConfigError: a text that cannot be read, an unknown name, or a value out of its range.
  """
  checks.number(f'objective.alpha={alpha!r}', alpha, '0 to 1')
  checks.number(f'objective.squeezing={squeezing!r}', squeezing, 'a number of at least 0')
  perturb, pair = attacks.parse(attack), pairings.parse(pairing)
  smooth = classification.smoother(label_smoothing, spread)
  mode_of = CRAFTING[crafting]
  clean_alone = alpha == 1 and not pair
  if not (pair or squeezing) and (clean_alone or not perturb.epsilon):
    # Without smoothing spreads are the same numbers, but not the same program.
    return classification.cross_entropy(
        label_smoothing=label_smoothing, spread=spread if label_smoothing else 'all')
  both = not clean_alone and bool(alpha or pair or squeezing)

  def compute(apply: objective.Apply, params: Any, state: model.State, rng: jax.Array,
              batch: objective.Batch, progress: jax.Array) -> objective.Result:
    images = [batch['inputs']]
    if not clean_alone:
      moved = crafting_lib.craft(perturb, apply, params, state, rng, batch, classification.targets,
                             mode_of(progress))
      images = [batch['inputs'], moved] if both else [moved]
    logits, state = _passes(apply, params, state, rng, images, model.Mode(True, progress), together)
    labels = smooth(classification.targets(batch, logits[0].shape[-1]))
    shares = [alpha, 1 - alpha] if both else [1.0]
    used = [(share, one) for share, one in zip(shares, logits, strict=True) if share]
    loss = sum(share * optax.losses.softmax_cross_entropy(one, labels).mean()
               for share, one in used)
    top1 = sum(share * (one.argmax(axis=-1) == batch['label']).mean(dtype=jnp.float32)
               for share, one in used)
    metrics = {'loss': loss, 'top1': top1}
    total = loss
    if pair:
      total, metrics['pairing'] = pair(loss, *logits)
    if squeezing:
      total += squeezing * pairings.squares(*logits)
    return total, (state, metrics)

  return crafting_lib.OfPixels(compute)


def _passes(apply: objective.Apply, params: Any, state: model.State, rng: jax.Array,
            images: list[jax.Array], mode: model.Mode, together: bool
            ) -> tuple[list[jax.Array], model.State]:
  """Returns the logits of each of several batches of images, and the state after them."""
  if together or len(images) == 1:
    outputs, state = apply(params, state, rng, jnp.concatenate(images), mode)
    return jnp.split(outputs.logits, len(images), axis=-2), state
  logits = []
  for one in images:
    outputs, state = apply(params, state, rng, one, mode)
    logits.append(outputs.logits)
  return logits, state
