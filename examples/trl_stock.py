"""Train the embedded generator with TRL's own trainer, unchanged, on an experiment in this process or a served one.

Usage: python examples/trl_stock.py [GRPO|RLOO] [STEPS] [URL]

Several processes share a served experiment, here two on a CPU:
ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2 examples/trl_stock.py GRPO 20 URL
"""

import sys
import tempfile

import trl
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer

import signal_env  # noqa: F401  (registers the environments)
from signal_env.classifiers.pretrained import model_path
from signal_env.trainers.trl import SignalSpec

OPTIONS = {"n_examples": 1, "offers_per_round": 64, "budget": 1000}


def main(algorithm="GRPO", steps="20", target=""):
    """Print the rewards and the classifier's accuracy as the trainer logs them."""
    spec = SignalSpec(target) if target else SignalSpec("SignalEnv-reviews-v0", **OPTIONS)
    generator = model_path("embedded", "generator")
    config = getattr(trl, f"{algorithm}Config")(
        output_dir=tempfile.mkdtemp(),
        reward_weights=spec.reward_weights,
        max_steps=int(steps),
        shuffle_dataset=False,  # the prompts are random already
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=40,
        learning_rate=2e-3,
        lr_scheduler_type="constant",
        beta=0.01,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
    )
    trainer = getattr(trl, f"{algorithm}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(generator),
        processing_class=AutoTokenizer.from_pretrained(generator, padding_side="left"),
        args=config,
        train_dataset=spec.train_dataset,
        reward_funcs=spec.reward_funcs,
        callbacks=spec.callbacks,
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"),
    )
    trainer.train()
    if trainer.accelerator.is_main_process:
        last = spec.experiment.state().round
        print(f"round {last['index']}   labels {last['labeled']}   accuracy {last['accuracy']:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
