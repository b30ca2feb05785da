"""A small smooth network and attacks on it, image by image in float64, in CleverHans' order."""

import numpy as np

SHAPE, CLASSES = (3, 4, 2), 5


def weights(seed=0):
  rng = np.random.default_rng(seed)
  size = int(np.prod(SHAPE))
  return rng.normal(size=(size, 7)) / 3, rng.normal(size=(7, CLASSES))


def predict(params):
  """The network in JAX; its pixels are shifted and scaled inside."""
  import jax.numpy as jnp
  first, second = (jnp.float32(w) for w in params)
  return lambda images: jnp.tanh(
      (images.reshape(len(images), -1) - 0.5) / 0.25 @ first) @ second


def logits(params, image):
  return np.tanh((image.reshape(-1) - 0.5) / 0.25 @ params[0]) @ params[1]


def loss_and_gradient(params, image, target):
  """The cross-entropy of one image and its gradient by the pixels."""
  hidden = np.tanh((image.reshape(-1) - 0.5) / 0.25 @ params[0])
  out = hidden @ params[1]
  log_p = out - out.max() - np.log(np.exp(out - out.max()).sum())
  slope = params[0] @ ((1 - hidden ** 2) * (params[1] @ (np.exp(log_p) - target)))
  return -(target * log_p).sum(), (slope / 0.25).reshape(image.shape)


def margin(params, image, label):
  out = logits(params, image)
  return np.delete(out, label).max() - out[label]


def fgsm(params, image, target, epsilon):
  return np.clip(image + epsilon * np.sign(loss_and_gradient(params, image, target)[1]), 0, 1)


def pgd(params, image, target, epsilon, step_size, steps, noise):
  """Clips to [0, 1], projects what was added, and clips again, after each step."""
  moved = np.clip(image + np.clip(noise, -epsilon, epsilon), 0, 1)
  for _ in range(steps):
    slope = loss_and_gradient(params, moved, target)[1]
    moved = np.clip(moved + step_size * np.sign(slope), 0, 1)
    moved = np.clip(image + np.clip(moved - image, -epsilon, epsilon), 0, 1)
  return moved


def spsa(params, image, label, epsilon, noise, directions, delta, rate):
  """Adam on summed estimates; `directions` is [iterations, batches, pairs, H, W, C] of +-1."""
  inside = lambda p: np.clip(image + np.clip(p, -epsilon, epsilon), 0, 1) - image
  added, first, second = inside(noise), 0.0, 0.0
  for t, batches in enumerate(directions, start=1):
    slope = 0.0
    for pairs in batches:
      samples = np.concatenate([pairs, -pairs])
      losses = [-margin(params, image + added + delta * s, label) for s in samples]
      slope = slope + sum(
          loss * delta * s for loss, s in zip(losses, samples, strict=True)) / len(samples) / delta
    first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope ** 2
    step = first / (1 - 0.9 ** t) / (np.sqrt(second / (1 - 0.999 ** t)) + 1e-9)
    added = inside(added - rate * step)
  return image + added
