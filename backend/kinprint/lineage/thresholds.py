"""Every threshold of a claim, with where it comes from.

"Measured" means the tables of ``docs/method.md``, which ``benchmarks/method.py`` prints again.
"Simulated" means ``benchmarks/thresholds.py``. A number changes here only with its derivation.
"""

from __future__ import annotations

LN_E_CLAIM = 20.7
"""ln 1e9. By Markov's inequality at most one look-up in 1e9 claims a stranger."""

MIN_GROUPS_FOR = 3
"""Groups that must speak for a match; one shared tensor may be a formula nobody listed."""

GROUP_BITS = 96
"""Query views this close count as one (tied layers, upcycled experts). Strangers fall to 96
bits in 8e-5 of pairs (folded binomial), so honest views are hardly ever merged."""

NULL_SD_BITS = 9.2
"""Sd of the stranger distribution in the e-value; binomial is 8.0 and measured 8.0 to 8.1, the
rest is a margin: fatter tails than measured make every e-value smaller."""

ALTERNATIVE_RATIOS = (0.002, 1.5, 60)
"""Geometric grid (low, high, steps) of noise-to-signal ratios that p1 averages over."""

NULL_SHARE_OF_ALTERNATIVE = 0.01
"""Weight of p0 inside p1, so that one odd view cannot sink a match."""

MIXTURE_SHARES = (0.03, 0.1, 0.3, 0.9)
"""Shares w of reused views that E averages over, besides 1/n (a single reused view)."""

WHOLE_MODEL_SHARE = 0.5
"""At or above this share of both sides' evidence parameters the models are compared as wholes;
below it they share parts. A CLIP tower is 4 % of a LLaVA, a twin with half the layers 60 %."""

RESOLUTION_FACTOR = 16.0
"""A difference below this multiple of the larger rounding variance is not told from rounding:
measured at 1/7080 under bf16, sigma is right within 1 % above it and 30 % off below."""

CAST_RATIO = (0.7, 1.4)
"""Mean square of a pure cast's difference over the expected rounding variance. Measured 0.97 to
1.03 over 36 views; a single view of 240 degrees of freedom stays within 0.7 to 1.4 (4.5 sd)."""

CAST_POOLED_SDS = 5.0
"""A cast's ratio, pooled over all blocks, must be 1 within this many of its sds: a training of a
third of the rounding's size shows over 290 views, in one block it does not."""

SAME_LATTICE_RATIO = 1.2
"""Rounding variances within this ratio mean one dtype: the next finer float is 64 times finer
(bf16 to fp16 a power of two times 2^6), and equal values give equal variances."""

LOSSLESS_FACTOR = 4.0
"""A lossless cast leaves only what storing two int16 sketches adds; four times that variance is
passed by chance in < 1e-9 of blocks (chi-square, 240 degrees of freedom, and rarer still)."""

TOP_SHARE_NULL = {16: (0.20601, 0.01977), 8: (0.24753, 0.02240)}
"""Mean and sd of the top singular share of a row-normalised, then centred r x (256/r) Gaussian
matrix, by r. Simulated: 400,000 matrices each."""

TRAINING_Z = 5.0
"""Combined z above which a difference looks like training. Simulated null: 99.99 % below 4.0
from 6 to 300 views. Measured: noise, casts, quantisation, pruning, gains ≤ 3.6, Adam ≥ 16."""

TRAINING_WINDOW_VIEWS = 6
TRAINING_WINDOW_Z = 6.0
"""The same for any run of six consecutive changed views, so that one trained module among many
noised ones is seen. Adam gives about 3.2 a view, 7.8 over six; the null passes 6 in < 1e-6."""

MIN_MECHANICAL_VIEWS = 6
"""Fewer changed views cannot separate noise from training (3.2 a view · √5 = 7.2 falls to the
threshold within its own spread), so the answer is `related`."""

GAIN_STANDARD_ERRORS = 5.0
"""c leaves 1 when off by this many standard errors in both regressions. Added noise keeps c = 1
at any level (measured 0.99 to 1.01); twins from one seed fall to 0.44, merges to their share."""

GAIN_TOLERANCE = 0.02
"""c within this of 1 is never called off, whatever its standard error: pooled c of noise,
casts and int8 was measured within 0.01; the weakest merge tested (97/3) lies at 0.97."""

FIT_LEVEL = 1e-4
"""Level at which "one σ fits all blocks" is rejected; a noised copy fails it once in 10,000."""

UNDIRECTED_COSINE = 0.95
"""Least cosine at which noise is claimed without knowing which side came later (noise up to a
third of the std). An even merge has c = 1 seen from its parents at cosine 0.71 for strangers and
√((1 + ρ)/2) for parents of correlation ρ; twins from one seed were measured at ρ = 0.44."""

SHARED_PART_BITS = 64
"""Median distance up to which matched views count as a shared part; where a model matches only
here and there at more than that, the near views are a selection and say nothing of the rest."""

PRUNED_ZEROS = 0.05
"""Additional share of exact zeros that is called pruning; trained weights have below 1e-4."""

QUANTISED_LEVELS = 256
QUANTISED_GROUP_LEVELS = 16
QUANTISED_DISTINCT_SHARE = 0.75
"""A row on an 8-bit grid has at most 256 distinct values, a group of 32 on a 4-bit grid at most
16, and both fewer than this share of their non-zero cells. Simulated on Gaussian rows of 128,
256, 512 and 1,024 cells: bf16 121, 230, 415, 688 distinct values; int8 by row 90, 129, 160, 177;
fp8 55, 64, 67, 69; groups of 32: bf16 32, int8 29, int4 12."""

EXPLAINED_COSINE = 0.1
"""Pooled cosine of residuals below which a third model explains what two share. Measured 0.02
between siblings, 0.41 for a copy under noise of 1.5 times its own change."""

EVADED_SECRET_BITS = 85
EVADED_PUBLIC_BITS = 96
"""A partner near under the secret key but a stranger under the public one was shaped to evade;
a public match that the secret key does not see was spliced. Strangers reach 85 bits in 1e-7."""

EVADED_SDS = 6.0
"""Two hashes of one angle scatter by up to 8 bits each, so they disagree only beyond this many
sds of their difference. Simulated: no twin of correlation 0.3 to 0.5 in 200,000; a shaped copy
(2 bits against 128) lies at 13."""

SMALL_INDEX_MODELS = 50
"""Below this many models "nothing found" says little; answers then name `index bootstrap`."""

EDGE_NULL = (-1.79, 1.15)
"""Mean and sd of the scaled largest eigenvalue of noise with normalised rows. Simulated for 8 to
64 rows of 66 to 4,096 columns: mean -1.70 to -1.89, sd 0.97 to 1.19; Tracy-Widom alone, without
the normalisation, has -1.21 and 1.27."""

DEEP_VIEW_Z = 7.0
"""Largest singular value of one deep block, in sds of its null, above which that block alone looks
trained. The tail of Tracy-Widom passes it in < 1e-7 of blocks; at 64 x 384 it is 1.05 times the
edge (science: noise up to 1.03). Pooled and windowed z keep TRAINING_Z and TRAINING_WINDOW_Z."""

DEEP_NOISE_FLOOR = 0.7
"""Median white share of a difference from which noise lies over training rather than training
alone. Noise of twice the training's rms is 80 % of the variance."""

DEEP_GAIN_TOLERANCE = 0.002
"""c within this of 1 is never called off in a deep reading, whatever its standard error."""

DEEP_KURTOSIS_SDS = 5.0
"""Added noise is taken to be Gaussian: its excess kurtosis is 0 within 5 sds (5e-7). One step of
Adam on a gradient without directions is as white as noise, but -2; 20 steps measured -0.4."""

DEEP_RESOLUTION = 1.0
"""Least sigma^2 over mean ulp^2/12 at which noise is told from training: there half of the
difference is seen, and training at 2.4 times the edge still shows at 1.7."""

CENSORED_ABOVE_ULP = 1.0
"""The censored likelihood is used unless sigma exceeds this many ulps in nearly all cells: above,
rounding errors are uniform and independent of the noise to exp(-2 pi^2) = 3e-9."""

LOW_RANK_LEFT = 1e-5
LOW_RANK_ROUNDING = 1e-3
LOW_RANK_SHARE = 0.5
LOW_RANK_BLOCKS = 0.9
"""An update is of low rank where in this share of the changed tensors at most half of the singular
values leave no more than 1e-5 of the energy besides rounding, and rounding is below 1e-3 of it.
Adapters use 8 to 32 of 64 rows and leave nothing. Adam fine-tunes of a small transformer need less
than half of the rows for all but 1e-3 in 46 to 71 % of the tensors (MiniLM's: in none)."""
