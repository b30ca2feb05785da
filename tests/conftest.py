"""Tests run on the CPU; what needs several devices or processes starts them itself."""

import os

# Before jax starts. NPROC: jax 0.10.2 deadlocks with several CPU devices on few cores without it.
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ.setdefault('NPROC', '16')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
