"""Experiments in TensorBoard: `tensorboard --logdir FOLDER` shows them while they are played and afterwards.

An episode is one of TensorBoard's runs. The table has all tags and the unit of their steps: "offers" are the texts
offered so far, "rounds" the rounds closed, "labels" the labeled instances, so that curves of different methods overlay.
The names of terms, classes and metrics stay as they are, with brackets for parentheses: `reward/clip[signal, 0, 2]`.

| tag | steps | what |
|---|---|---|
| `charts/accuracy` | labels | accuracy on the evaluation split |
| `charts/area` | labels | mean accuracy along the curve so far |
| `charts/reward` | labels | mean reward of all texts offered so far |
| `charts/invalid` | labels | fraction of invalid texts among those offered in the round |
| `charts/synthetic_in_batch` | labels | fraction of synthetic texts among those labeled in the round |
| `charts/synthetic_target` | labels | the fraction that `synthetic_share` aimed at, if it is given |
| `charts/synthetic_in_labeled` | labels | fraction of synthetic texts in the labeled set L |
| `labeling/count/CLASS` | labels | texts of the class in L |
| `labeling/synthetic_count/CLASS` | labels | the annotator's labels of the round's synthetic texts, if there were any |
| `labeling/annotator_agreement` | labels | fraction of the round's real texts that the annotator labels right |
| `labeling/score_selected` | labels | mean acquisition score of the texts labeled, if a function chose them |
| `labeling/score_unlabeled` | labels | mean acquisition score of all texts that it could have chosen |
| `reward/total` | offers | mean of the last few rewards, as the wrapped environment returns them; see `every` |
| `reward/TERM` | offers | the term's contribution, if its weight is not 0; all contributions sum to the total |
| `reward_raw/TERM` | offers | mean of the term's own values, once they have differed from its contributions |
| `reward_mean/total` | rounds | mean reward of the round's texts |
| `reward_mean/TERM` | rounds | the term's mean contribution |
| `reward_distribution/total` | rounds | histogram of the rewards, in rounds where they differ |
| `reward_distribution/TERM` | rounds | histogram of the term's contributions, likewise |
| `texts/best/text_summary` | rounds | the texts with the highest rewards, with the contributions of the terms |
| `texts/worst/text_summary` | rounds | those with the lowest |
| `losses/NAME` | offers | the agent's `trainer/NAME` |
| `lift/NAME` | offers | the agent's metrics of that name; see the agent for what they are |
| `policy/NAME` | offers | |
| `texts/NAME` | offers | |
| `labels/NAME` | offers | |
| `speed/NAME` | offers | |
| `metrics/NAME` | offers | all its other metrics |
| `_hparams_/session_start_info` | | the environment's options, and the values that the caller adds |
| `_hparams_/session_end_info` | | whether the episode was played to its end |
| `custom_scalars__config__` | | the layout of the page of custom scalars |

The metrics on the HParams page are the last values of the scalars, `charts/...` first. The projector has the texts of L
and of the unlabeled set as the classifier sees them after the last round: see `Snapshot.points`, which says which.
"""

from signal_env.wrappers.tensorboard.board import Board
from signal_env.wrappers.tensorboard.wrappers import TensorBoard, VectorTensorBoard

__all__ = ["Board", "TensorBoard", "VectorTensorBoard"]
