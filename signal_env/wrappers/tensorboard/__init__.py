"""Experiments in TensorBoard: `tensorboard --logdir FOLDER` shows them while they are played and afterwards.

An episode is one of TensorBoard's runs. The table has all tags and the unit of their steps: "offers" are the texts
offered so far, "rounds" the closed rounds, "labels" the labeled instances, over which methods are comparable.
Tags have the names of terms, classes and metrics, with brackets for parentheses: `reward/clip[signal, 0, 2]`.

| tag | steps | content |
|---|---|---|
| `charts/accuracy` | labels | accuracy on the evaluation split |
| `charts/macro_f1` | labels | mean over the classes of F1 on the evaluation split |
| `charts/nll` | labels | mean negative log-likelihood on the evaluation split, in nats; lower is better |
| `charts/area` | labels | mean accuracy along the curve so far |
| `charts/reward` | labels | mean reward of all texts offered so far |
| `charts/invalid` | labels | fraction of invalid texts among those offered in the round |
| `charts/synthetic_in_batch` | labels | fraction of synthetic texts among those labeled in the round |
| `charts/synthetic_target` | labels | the target of `synthetic_share`, if it is given |
| `charts/synthetic_in_labeled` | labels | fraction of synthetic texts in the labeled set L |
| `labeling/count/CLASS` | labels | texts of the class in L; beyond 10 classes `min`, `median` and `max` |
| `labeling/synthetic_count/CLASS` | labels | the annotator's labels of the round's synthetic texts, if any; likewise |
| `labeling/annotator_agreement` | labels | fraction of the round's real texts that the annotator labels right |
| `labeling/score_selected` | labels | mean acquisition score of the texts labeled, if a function chose them |
| `labeling/score_unlabeled` | labels | mean acquisition score of all texts of U at the choice |
| `stopping/NAME` | labels | value of the stopping criterion after the round's training |
| `reward/total` | offers | mean of the last `every` rewards of the wrapped environment; a pass counts if it earns any |
| `reward/TERM` | offers | the term's mean contribution, if its weight is not 0; all contributions sum to the total |
| `reward_raw/TERM` | offers | mean of the term's own values, as soon as they differ from its contributions |
| `reward_mean/total` | rounds | sum of the round's rewards over its texts: `reward_mean` of the round's info |
| `reward_mean/TERM` | rounds | sum of the term's contributions over the round's texts |
| `reward_distribution/total` | rounds | histogram of the rewards, in rounds where they differ |
| `reward_distribution/TERM` | rounds | histogram of the term's contributions, likewise |
| `texts/best/text_summary` | rounds | the texts with the highest rewards, with their terms' contributions |
| `texts/worst/text_summary` | rounds | the texts with the lowest rewards |
| `reward_written/mean` | offers | the agent's `reward/mean`: `reward_mean/total` over the texts that it wrote alone |
| `reward_written/TERM` | offers | the agent's `reward/TERM`: `reward_mean/TERM` over the texts that it wrote alone |
| `losses/NAME` | offers | the agent's `trainer/NAME` |
| `lift/NAME` | offers | the agent's metric of this name, which the agent's documentation explains |
| `policy/NAME` | offers | likewise |
| `texts/NAME` | offers | likewise |
| `labels/NAME` | offers | likewise |
| `speed/NAME` | offers | likewise |
| `metrics/NAME` | offers | all other metrics of the agent |
| `_hparams_/session_start_info` | | the environment's options, and the values that the caller adds |
| `_hparams_/session_end_info` | | whether the episode was played to its end |
| `custom_scalars__config__` | | the layout of the page of custom scalars |

The metrics on the HParams page are the last values of the scalars, `charts/...` first. The projector shows texts of L
and U under the classifier after the last round; `Snapshot.points` tells which ones.
"""

from signal_env.wrappers.tensorboard.board import Board
from signal_env.wrappers.tensorboard.wrappers import TensorBoard, VectorTensorBoard

__all__ = ["Board", "TensorBoard", "VectorTensorBoard"]
