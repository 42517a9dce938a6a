"""`python -m experiments pretrain`: trains the embedded models, or a small generator on a task's own text.

The small generator stands in for a pretrained large language model offline: it has learned the form of the task's texts
from texts outside the experiments' pools, and nothing else.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from experiments.progress import console, progress_bar
from signal_env.classifiers.pretrained import EMBEDDED, quiet_transformers
from signal_env.config import SignalConfig
from signal_env.data import load
from signal_env.env import experiment_seed
from signal_env.learner.experiment import draw_pool, experiment_sizes
from signal_env.learner.prompts import prompt
from signal_env.tasks import Task, get_task
from signal_env.utils.storage import cache_dir, new_folder

PAD, UNKNOWN, CLS, SEP, MASK, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[END]"
SPECIAL = (PAD, UNKNOWN, CLS, SEP, MASK)
IGNORED = -100


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """Trains a tiny BERT and a tiny Qwen2 on the reviews corpus, or with --task a small Qwen2 on that task's text."""

    task: str = "reviews"
    """A registered task, or the path of a task's .yaml file."""
    data_dir: str | None = None
    """Folder of the data; default: SIGNAL_ENV_DATA, else the hub."""
    out: Path | None = None
    """Folder to save to; default: the package for the reviews task, else the task's place in the cache."""
    exclude_seeds: int = 10
    """The generator reads no text of the pools of experiments with seeds below this number."""
    exclude_fraction: float = 0.01
    """The size of these pools, as `pool_fraction`; smaller pools of the same seeds are parts of them."""
    sentences: int = 60_000
    """Sentences and whole reviews to train on (reviews only), less those of the corpus."""
    encoder_steps: int = 1000
    """Steps of the encoder (reviews only), 32 reviews of one to four sentences each."""
    generator_steps: int = 2500
    """Steps of the generator, 16 prompts with their answers each."""
    vocabulary: int = 2000
    """The largest number of tokens of the generator's tokenizer."""
    hidden_size: int = 128
    """Width of the models."""
    layers: int = 4
    """Layers of the generator; the encoder has half as many."""
    encoder_learning_rate: float = 1e-3
    """Peak learning rate of the encoder, for AdamW."""
    generator_learning_rate: float = 2e-3
    """Peak learning rate of the generator."""
    seed: int = 0
    """Seed of the weights, the order of the texts and the masks."""


def main(config: PretrainConfig) -> None:
    """Train and save the models."""
    task = get_task(config.task)
    if task.name == "reviews":
        sentences = new_sentences(config.seed, config.sentences)
        texts = [text for text, _ in sentences]
        train_encoder(documents(sentences, config.seed, config.sentences), config, (config.out or EMBEDDED) / "encoder")
        train_generator(task, texts, config, (config.out or EMBEDDED) / "generator")
    else:
        texts = texts_outside_pools(task, config)
        train_generator(task, texts, config, config.out or cache_dir("generators", task.name))


def new_sentences(seed: int, count: int = 60_000) -> list[tuple[str, int]]:
    """Return sentences of the reviews grammar, with their labels, that are in neither split of the corpus."""
    from signal_env.data.reviews import generate

    corpus = load(get_task("reviews"))
    known = {*corpus.train.texts, *corpus.evaluation.texts}
    return [(text, label) for text, label in generate(count, seed=1_000 + seed) if text not in known]


def documents(sentences: Sequence[tuple[str, int]], seed: int, count: int) -> list[str]:
    """Return whole reviews: one to four sentences of one reviewer, who likes the film or does not.

    As in real text, the other sentences help to predict a masked word, and the encoder learns which words co-occur.
    """
    rng = np.random.default_rng(seed)
    of_label = [[text for text, label in sentences if label == wanted] for wanted in (0, 1)]
    reviews = []
    for liked, length in zip(rng.integers(2, size=count), rng.integers(1, 5, size=count), strict=True):
        chosen = rng.integers(len(of_label[liked]), size=length)
        reviews.append(". ".join(of_label[liked][i] for i in chosen))
    return reviews


def texts_outside_pools(task: Task, config: PretrainConfig) -> list[str]:
    """Return a task's training split without the pools of the experiments."""
    corpus, excluded = load(task, config.data_dir), set[int]()
    for seed in range(config.exclude_seeds):
        rng, _ = seeding.np_random(seed)
        excluded.update(draw_pool(len(corpus.train.texts), pool_size(config), experiment_seed(rng)).tolist())
    return [text for index, text in enumerate(corpus.train.texts) if index not in excluded]


def pool_size(config: PretrainConfig) -> int:
    """Return the size of the excluded pools."""
    options = SignalConfig(task=config.task, data_dir=config.data_dir, pool_fraction=config.exclude_fraction)
    return experiment_sizes(options).pool


def train_encoder(texts: Sequence[str], config: PretrainConfig, out: Path) -> None:
    """Train a BERT with the masked language model's objective (Devlin et al. 2018).

    The model predicts 10 % of the frequent tokens and 40 % of the rarer, more informative ones. Of these 80 % are
    masked, 10 % swapped for another token, and 10 % left as they are.
    """
    import torch
    from transformers import BertConfig, BertForMaskedLM

    tokenizer = word_piece_tokenizer(texts)
    torch.manual_seed(config.seed)
    model = BertForMaskedLM(
        BertConfig(
            **_shape(config, tokenizer),
            num_hidden_layers=config.layers // 2,
            intermediate_size=4 * config.hidden_size,
            max_position_embeddings=256,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    rng = np.random.default_rng(config.seed)
    ids_of_texts = tokenizer(list(texts))["input_ids"]
    with torch.no_grad():
        start = torch.from_numpy(latent_semantics(ids_of_texts, len(tokenizer), config.hidden_size))
        model.get_input_embeddings().weight.copy_(start)
    ids_of_all = np.concatenate(ids_of_texts)
    frequency = np.bincount(ids_of_all, minlength=len(tokenizer)) / len(ids_of_all)
    chance = np.where(frequency < 0.005, 0.4, 0.1)
    chance[: len(SPECIAL)] = 0.0
    batches = (masked(tokenizer, batch, chance, rng) for batch in _draws(texts, 32, rng))
    _train("encoder", model, tokenizer, batches, len(texts), config, out)


def word_piece_tokenizer(texts: Sequence[str]) -> Any:
    """Return BERT's tokenizer with the words of the texts, and the characters that compose any other ASCII word."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())})
    characters = [chr(code) for code in range(33, 127)]
    pieces = dict.fromkeys([*SPECIAL, *characters, *(f"##{character}" for character in characters), *words])
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    raw = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.decoder = decoders.WordPiece()
    ends = [(token, raw.token_to_id(token)) for token in (CLS, SEP)]
    raw.post_processor = processors.TemplateProcessing(f"{CLS} $A {SEP}", f"{CLS} $A {SEP} $B:1 {SEP}:1", ends)
    names = {"pad_token": PAD, "unk_token": UNKNOWN, "cls_token": CLS, "sep_token": SEP, "mask_token": MASK}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=raw, model_input_names=inputs, **names)


def masked(tokenizer: Any, texts: list[str], chance: NDArray[np.float64], rng: np.random.Generator) -> Any:
    """Return a batch for the masked language model, which predicts each token with its probability in `chance`."""
    import torch

    batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    ids, labels = batch["input_ids"], batch["input_ids"].clone()
    chosen = torch.from_numpy(rng.random(tuple(ids.shape)) < chance[ids.numpy()])
    labels[~chosen] = IGNORED
    fate = torch.from_numpy(rng.random(tuple(ids.shape)))
    ids[chosen & (fate < 0.8)] = tokenizer.mask_token_id
    random_ids = torch.from_numpy(rng.integers(len(SPECIAL), len(tokenizer), tuple(ids.shape)))
    swapped = chosen & (fate > 0.9)
    ids[swapped] = random_ids[swapped]
    return batch | {"labels": labels}


def latent_semantics(texts: Sequence[Sequence[int]], vocabulary: int, size: int) -> NDArray[np.float32]:
    """Return token embeddings in which tokens of the same texts are similar (Deerwester et al. 1990).

    They are the leading principal directions of the texts' token counts, each scaled by its standard deviation, and all
    together to BERT's initial scale. A small model on little text needs this start: it learns word vectors slowly.
    `texts` are token ids; the result is `(vocabulary, size)`.
    """
    counts = np.zeros((len(texts), vocabulary), dtype=np.float32)
    for row, ids in zip(counts, texts, strict=True):
        row[ids] = 1.0
    frequency = counts.mean(axis=0)
    counts = (counts - frequency) / np.sqrt(frequency * (1 - frequency) + 1e-3)
    values, directions = np.linalg.eigh(counts.T @ counts / len(texts))
    embeddings = directions[:, ::-1][:, :size] * np.sqrt(np.maximum(values[::-1][:size], 0.0))
    return np.asarray(0.02 * embeddings / embeddings.std(), dtype=np.float32)


def train_generator(task: Task, texts: Sequence[str], config: PretrainConfig, out: Path) -> None:
    """Train a Qwen2 to continue the environment's prompts; every example and the answer are texts of the task."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = byte_pair_tokenizer((prompt(task, texts[i : i + 3]) for i in range(0, len(texts), 3)), config)
    torch.manual_seed(config.seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            **_shape(config, tokenizer),
            num_hidden_layers=config.layers,
            num_key_value_heads=config.hidden_size // 64,
            intermediate_size=3 * config.hidden_size,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    rng = np.random.default_rng(config.seed)

    def answered(texts: list[str]) -> Any:
        examples = [texts[i : i + 4] for i in range(0, len(texts), 4)]
        forms = [f"{prompt(task, three)} {answer}{END}" for *three, answer in examples]
        batch = tokenizer(
            forms, padding=True, truncation=True, max_length=512, padding_side="right", return_tensors="pt"
        )
        labels = batch["input_ids"].clone()
        labels[batch["attention_mask"] == 0] = IGNORED
        return batch | {"labels": labels}

    batches = (answered(batch) for batch in _draws(texts, 64, rng))
    facts: dict[str, Any] = {"task": task.name}
    if task.name != "reviews":
        facts |= {"excluded_seeds": config.exclude_seeds, "excluded_pool_size": pool_size(config)}
    _train("generator", model, tokenizer, batches, len(texts), config, out, **facts)


def byte_pair_tokenizer(forms: Iterator[str], config: PretrainConfig) -> Any:
    """Train a tokenizer of byte pairs on the forms of texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    options: dict[str, Any] = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet(), "show_progress": False}
    trainer = trainers.BpeTrainer(vocab_size=config.vocabulary, special_tokens=[PAD, END], **options)
    raw.train_from_iterator(forms, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=PAD, eos_token=END)


def _shape(config: PretrainConfig, tokenizer: Any) -> dict[str, int]:
    """Return the sizes that both models share."""
    heads, tokens = config.hidden_size // 32, {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    return {"hidden_size": config.hidden_size, "num_attention_heads": heads, **tokens}


def _draws(texts: Sequence[str], size: int, rng: np.random.Generator) -> Iterator[list[str]]:
    """Yield batches of texts in random order, epoch after epoch, without end."""
    while True:
        order: NDArray[np.int64] = rng.permutation(len(texts))
        for start in range(0, len(order) - size + 1, size):
            yield [texts[i] for i in order[start : start + size]]


def _train(
    role: str,
    model: Any,
    tokenizer: Any,
    batches: Iterator[Any],
    n: int,
    config: PretrainConfig,
    out: Path,
    **facts: Any,
) -> None:
    """Train on batches of `n` texts by AdamW with a warm-up and a cosine decay, and save the model."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    steps, learning_rate = getattr(config, f"{role}_steps"), getattr(config, f"{role}_learning_rate")
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.01, fused=True)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 20, steps)
    model.train()
    losses = []
    with progress_bar() as progress:
        bar = progress.add_task(role, total=steps, status="")
        for batch in islice(batches, steps):
            batch.pop("token_type_ids", None)
            loss = model(**batch).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            progress.update(bar, advance=1, status=f"loss {losses[-1]:.3f}")
    mean, parameters = float(np.mean(losses[-max(1, steps // 10) :])), sum(p.numel() for p in model.parameters())
    record = {"parameters": parameters, "texts": n, "steps": steps, "loss": mean, **facts, "seed": config.seed}
    save(model, tokenizer, out, "training.json", record)
    megabytes = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    console.print(f"{out.name}: {parameters:,} parameters, loss {mean:.3f}, {megabytes:.1f} MB, saved to {out}")


def save(model: Any, tokenizer: Any, out: Path, mark: str, record: dict[str, Any]) -> None:
    """Save a model in half precision with its tokenizer and the record of its training, a file named `mark`."""
    with new_folder(out, mark=mark) as folder, quiet_transformers():
        model.half().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / mark).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
