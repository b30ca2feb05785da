"""Packaging: `pip install .` for the library; requirements.txt pins what the tests run on."""

import pathlib
import re

import setuptools

_VERSION = re.search(r"^__version__ = '(.*)'$",
                     pathlib.Path(__file__).with_name('nfnets_am').joinpath('__init__.py').read_text(),
                     re.MULTILINE).group(1)

setuptools.setup(
    name='nfnets_am',
    version=_VERSION,
    description='Augmentation multiplicity for Haiku NFNets, NF-ResNets and Wide-ResNets',
    license='Apache-2.0',
    python_requires='>=3.11',
    packages=setuptools.find_packages(include=['nfnets_am', 'nfnets_am.*']),
    package_data={'nfnets_am': ['py.typed'], 'nfnets_am.data': ['bundled/*/*']},
    entry_points={'console_scripts': ['nfnets-am = nfnets_am.__main__:main']},
    install_requires=[
        'absl-py', 'chex>=0.1.91', 'dm-haiku>=0.0.16', 'etils[epath]', 'jax>=0.8',
        'markdown-it-py>=3', 'matplotlib', 'ml-collections>=1.1', 'numpy', 'optax>=0.2.6',
        'orbax-checkpoint>=0.11', 'pyyaml', 'rich', 'safetensors>=0.4',
        'scipy',
    ],
    extras_require={
        # BLEU of translations (the evaluation bleu).
        'bleu': ['sacrebleu>=2.4'],
        # For tests: notebooks/ is run, the types of docs/from_another_project.md are checked, and
        # twenty labelled pictures of ImageNet that foolbox has in its wheel are read.
        'notebook': ['nbclient', 'nbformat', 'ipykernel'],
        'types': ['basedpyright'],
        'pictures': ['foolbox'],
        # What benchmarks/step.py --peer measures us beside.
        'peers': ['timm', 'torch'],
        # For views drawn on the host; the bundled set trains without (data.apply='device').
        'data': ['tensorflow-cpu>=2.20', 'tensorflow-datasets>=4.9.9', 'importlib_resources'],
        # To compile for TPUs that are not here (launch.plan, benchmarks/tpu_step.py).
        'plan': ['jax[tpu]'],
        # To hand runs to SkyPilot (launch.sweep --on=skypilot).
        'skypilot': ['skypilot[gcp]>=0.14'],
        # To hand runs to Slurm (launch.sweep --on=slurm).
        'slurm': ['submitit>=1.5'],
        # Pieces of words for translation (data.vocabulary='bpe(...)').
        'text': ['sentencepiece>=0.2'],
        # Where metrics can go beside metrics.jsonl (config.sinks).
        'tensorboard': ['tensorboardX>=2.6'],
        'wandb': ['wandb>=0.31'],
        'aim': ['aim>=3.29'],
    },
)
