"""The rows of the table of hyperparameters: what the paper says of each, and why ours is what it is."""

from experiments.report.hyperparameter_values import (
    annotator,
    budget,
    classifier,
    distance,
    evaluation,
    labels_per_round,
    phi,
    place,
    synthetic_share,
    training,
    trials,
)
from experiments.report.hyperparameters import Hyperparameter
from signal_env.acquisition.scores import SMALLEST

NOTHING = "not said"

HYPERPARAMETERS = (
    Hyperparameter(
        "|R|",
        "0.1 % and 1 % of each data set's original size (5.1)",
        "pool_fraction",
        "the paper's; a pool of 0.1 % is part of the same seed's pool of 1 %",
        lambda run: int(run.rounds["pool"].iloc[0]),
    ),
    Hyperparameter(
        "first labeled set",
        "varying (5.3); no size",
        "initial_labeled",
        "one round's labels by default, so that the curves begin at the first 10 %",
        lambda run: int(run.rounds["labeled"].iloc[0]),
    ),
    Hyperparameter(
        "b, labels a round",
        "annotation budget b; accuracy at increments of 10 % (5.3)",
        "round_size",
        "10 % of R by default, those increments",
        labels_per_round,
    ),
    Hyperparameter(
        "texts generated a round",
        "b (Algorithm 1)",
        "offers_per_round",
        "b by default; more let a policy practise, which costs no labels",
        lambda run: (run.options.get("offers_per_round") or "b") if run.writes else None,
    ),
    Hyperparameter(
        "generated texts that stay in U",
        "all (Algorithm 1)",
        "keep_best",
        "all by default; fewer where many more are generated than labeled",
        lambda run: (run.options.get("keep_best") or "all") if run.writes else None,
    ),
    Hyperparameter(
        "what is labeled",
        "the b texts of U with the highest s_x (Algorithm 1)",
        "acquisition",
        "the paper's by default; 'random' is generation without active learning",
        lambda run: run.options.get("acquisition") if run.writes else None,
    ),
    Hyperparameter(
        "share of synthetic texts among them",
        "none; a schedule is proposed (5.4)",
        "synthetic_share",
        "the paper's plain rule by default; the schedules are those that it proposes",
        synthetic_share,
    ),
    Hyperparameter(
        "end of a run",
        "100 % pool-based, 200 % SIGnAL (5.3)",
        "budget_fraction",
        "the paper's; by equal labels the methods are compared beside it",
        budget,
    ),
    Hyperparameter(
        "M",
        "BERT-BASE with a classification layer (5.3)",
        "classifier, encoder",
        "fine-tuned bert-base-uncased by default; a smaller encoder, or a head on a frozen one, lets a study fit a CPU",
        classifier,
    ),
    Hyperparameter(
        "training of M: epochs, learning rate, ...",
        NOTHING,
        "classifier_options",
        "fine-tuning after Mosbach et al. 2021 for small labeled sets; a linear head's objective is convex, so that it "
        "has no epochs, and C = 1 is scikit-learn's default",
        training,
    ),
    Hyperparameter(
        "where training begins each round",
        "the minimum over L (Algorithm 1, line 10)",
        "retrain",
        "that minimum knows nothing of earlier rounds, so M starts from the pretrained weights, on all of L",
        lambda run: "the pretrained weights" if run.options.get("retrain", True) else "M stays as it is",
    ),
    Hyperparameter(
        "evaluation",
        "validation sets of SST-2 and QNLI (5.1)",
        "evaluation_size",
        "the whole split by default; AG News has no validation split, so its test split",
        evaluation,
    ),
    Hyperparameter("Φ", "the model's encoding (4.2)", "classifier", "the current classifier's, as 4.2 says", phi),
    Hyperparameter(
        "d",
        "closeness between encodings (4.2)",
        "normalize",
        "l2-normalised as in the reference code of CAL, on which the score builds",
        distance,
    ),
    Hyperparameter(
        "k",
        "k nearest neighbours (Algorithm 1)",
        "n_neighbors",
        "10 by default, as in the reference code of CAL; all of L where it is smaller",
    ),
    Hyperparameter(
        "s_x at d = 0",
        NOTHING,
        "",
        "a copy of a labeled text teaches nothing",
        lambda run: "the neighbour adds 0",
    ),
    Hyperparameter(
        "smallest probability in KL",
        NOTHING,
        "",
        "so that no score is infinite",
        lambda run: SMALLEST,
    ),
    Hyperparameter(
        "G",
        "Qwen2.5-7B-Instruct (5.3)",
        "generator",
        "the paper's by default; 'small' is a Qwen2 of a million parameters that has read the task's texts outside the "
        "pools, where no large model can be had",
        lambda run: place(run.options["generator"]) if run.options.get("generator") else None,
        unset="the default: embedded for reviews, else Qwen/Qwen2.5-7B-Instruct",
    ),
    Hyperparameter(
        "p",
        "not said; the printed prompt has 3 (4.1)",
        "n_examples",
        "3 by default, as printed; shorter prompts make runs faster",
        lambda run: run.options.get("n_examples") if run.writes else None,
    ),
    Hyperparameter(
        "decoding: temperature",
        "the argmax (4.1)",
        "temperature",
        "policy-gradient methods learn from samples of the policy itself, at 1 and among all tokens by default",
    ),
    Hyperparameter(
        "decoding: tokens a text, at most",
        NOTHING,
        "max_new_tokens",
        "a text ends at its first line end; this bounds those that do not end",
    ),
    Hyperparameter(
        "reward",
        "s_x (Algorithm 1, line 12)",
        "reward",
        "the paper's by default",
        lambda run: run.options.get("reward") if run.writes else None,
    ),
    Hyperparameter(
        "reward of empty, unparsable and duplicate texts",
        NOTHING,
        "invalid_reward",
        "without it a policy collapses to one sentence that scores high",
        lambda run: run.options.get("invalid_reward") if run.writes else None,
    ),
    Hyperparameter(
        "what PPO is paid",
        "s_x (4.3)",
        "",
        "so that one learning rate fits whatever scale the classifier gives the scores",
        lambda run: "the reward over the running standard deviation of all" if "kl_coef" in run.options else None,
    ),
    Hyperparameter(
        "β",
        "β (4.3); no value",
        "kl_coef",
        "of 0.01, 0.1 and 0.3, each tried in a single short run, larger ones stayed nearer the reference, and 0.01 had "
        "the largest lift",
    ),
    Hyperparameter(
        "learning rate of G",
        NOTHING,
        "learning_rate",
        "tried in single runs: 2e-3 learns slowly, and 4e-3 learns faster but goes up and down in longer ones",
        unset="2e-3 for a generator of under 100 million parameters, 1e-4 for others",
    ),
    Hyperparameter(
        "passes over a batch",
        NOTHING,
        "epochs",
        "tried once: two had a lift one round before one had it, with twice the updates",
    ),
    Hyperparameter(
        "updates a pass", NOTHING, "mini_batches", "one keeps each update on the policy that wrote the texts"
    ),
    Hyperparameter(
        "λ of the advantages",
        NOTHING,
        "gae_lambda",
        "a text is paid at its end; under 1, while values are not learned, its last tokens get more of it, and texts "
        "shrink",
    ),
    Hyperparameter(
        "texts a batch",
        NOTHING,
        "num_envs",
        "a step of the environment is a batch of the trainer",
        lambda run: (run.options.get("num_envs") or "all of a round") if "kl_coef" in run.options else None,
    ),
    Hyperparameter(
        "what of G is trained",
        NOTHING,
        "lora_rank, lora_alpha",
        "the base stays frozen, and is the reference with the adapter off, so that nothing is held twice",
        lambda run: (
            f"LoRA of rank {run.options['lora_rank']} and scale {run.options['lora_alpha']} beside all linear layers"
            if "lora_rank" in run.options
            else None
        ),
    ),
    Hyperparameter(
        "value model", NOTHING, "value_size", "a small head of this width on the frozen base holds no second base"
    ),
    Hyperparameter(
        "the trainer's other options", NOTHING, "trl", "TRL's defaults (of PPO: clipping at 0.2, γ 1) but for these"
    ),
    Hyperparameter(
        "annotator",
        "fine-tuned models of 91.3 %, 93.75 % and 90.99 % accuracy (5.3)",
        "annotator, annotator_model",
        "fine-tuned on the full task likewise; real texts keep their gold labels",
        summary=annotator,
    ),
    Hyperparameter(
        "noise of the annotator",
        "the oracle is assumed to be right (5.3)",
        "annotator_noise",
        "0 by default; a question of this project where it is more",
        lambda run: run.options.get("annotator_noise") if run.writes else None,
    ),
    Hyperparameter(
        "trials",
        "multiple (5.3)",
        "seed",
        "the claims' table says how many would decide what these do not; seeds are the same for all methods",
        summary=trials,
    ),
)
"""All of them, from the data to the statistics."""
