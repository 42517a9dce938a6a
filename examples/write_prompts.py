"""Write prompts of a served experiment to a file, in the columns that verl, OpenRLHF and SkyRL read.

Usage: python examples/write_prompts.py [URL] [N] [FILE.parquet]
"""

import sys

from datasets import Dataset

from signal_env.shared.client import Client

BLOCK = 1024
"""Prompts drawn at a time: a service bounds them, by default at 4,096."""


def main(url="http://127.0.0.1:8000", n="1024", file="prompts.parquet"):
    """Draw the prompts and write them, one a row; each trainer repeats them itself."""
    client, n = Client(url), int(n)
    blocks = [client.prompts(min(BLOCK, n - done)).texts for done in range(0, n, BLOCK)]
    rows = [
        {
            "prompt": [{"role": "user", "content": text}],
            "text": text,
            "data_source": "signal_env",
            "reward_model": {"style": "rule", "ground_truth": ""},
            "env_class": "signal_env",
            "extra_info": {"prompt": text, "split": "train", "index": i},
        }
        for i, text in enumerate(text for block in blocks for text in block)
    ]
    Dataset.from_list(rows).to_parquet(file)
    print(f"{len(rows)} prompts in {file}")


if __name__ == "__main__":
    main(*sys.argv[1:])
