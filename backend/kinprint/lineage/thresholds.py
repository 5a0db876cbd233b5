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

NOISE_Z = 3.0
"""Combined z up to which noise is claimed; between it and `TRAINING_Z` nothing is said. The null
stays below in 99.7 % of models. One or two steps of Adam over few tensors come as low as 4:
simulated (``benchmarks/noise.py``), of 250 such children of 8 and of 12 matrices 11 and 3 passed
`TRAINING_Z` alone."""

TRAINING_WINDOW_VIEWS = 6
TRAINING_WINDOW_Z = 6.0
"""The same for any run of six consecutive changed views, so that one trained module among many
noised ones is seen. Adam gives about 3.2 a view, 7.8 over six; the null passes 6 in < 1e-6."""

MIN_MECHANICAL_VIEWS = 12
"""Fewer changed views cannot separate noise from training, so the answer is `related`. Simulated
children of one or two steps of Adam or Lion (``benchmarks/noise.py``) taken for noise: 2, 1, 0 and
0 of 500 each with 6, 8, 12 and 24 tensors."""

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

LAYER_SHARE = 1 / 3
"""Two layers correspond when this share of the evidence tensors of each matches the other. Layers
have 4 to 9 such tensors (BERT 6, Llama 7), attention alone is 4; a "layer" that is one tensor
under a number of its own, as under opaque names, is at most a quarter of a real one."""

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

CHAIN_TOLERANCE = 0.1
"""A third model's two children look like a chain where the younger holds the elder's change whole:
the coefficient of the one change in the other is 1 within this. Measured on real Adam runs:
siblings of other objectives lie at 0 within their errors; going on with one objective overshoots
(1.04 to 4.5), and so do siblings of one recipe at other rates (2.8, 7.6): nothing is said."""

CHAIN_STANDARD_ERROR = 0.02
"""The coefficient's standard error may be a fifth of the tolerance: a small change inside a much
larger one has any coefficient by chance (measured 2.4 ± 1.9 where it is 180 times smaller)."""

CHAIN_CONTRAST = 0.8
"""Seen the other way the coefficient must stay below this, else neither change holds the other:
it is (first/second)² in a chain, so the second step is at least half as long as the first."""

CHAIN_BLOCK_RATIO = 0.01
"""A block enters only where either change has more than this share of the other's energy. A step
that the standard error lets pass has a fifth; below lie rounding and tensors left alone."""

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

SIZE_AGREES = 1.4
"""A claimed size agrees with the counted parameters within this factor: measured 0.96 to 1.36 of
the size in the name over 20 families (`benchmarks/claimed_sizes.py`)."""

SIZE_CONTRADICTS = 2.5
"""Beyond this factor it contradicts. The same families reach 1.60 where a tied head is stored
twice; between the two factors nothing is said."""

VOCABULARY_DIFFERS = 0.03
"""Vocabularies are of two sizes only beyond this share: padding and a few added tokens of one
tokenizer stay below 0.4 % (Qwen 151,643 to 152,064 entries, Llama 3 128,000 to 128,256)."""

WHOLLY_MATCHED_SHARE = 0.95
"""A claim about the whole architecture is only checked where this share of the repo's evidence
parameters matched: what is left is at most a vocabulary row block or a head."""

PAIRED_LN_ODDS = 30.0
"""A tensor is paired by its values where its likelihood beats that of any other partner by e^30
(Gaussian residual of free variance): among 1,000 candidates a wrong one leads by as much with
probability below 1e-10. Measured on MiniLM's 63 small tensors under noise of 1/708: 34 to 76 for
the six key biases, which are smaller than the noise, 793 and more for all others."""

PAIRED_CORRELATION = 0.97
"""Least correlation of small tensors that are paired by values alone: the right partner may be
absent, and norms of one model resemble each other (measured on MiniLM: up to 0.953)."""

PAIRED_CORRELATION_IN_PLACE = 0.5
"""The same where the matched tensors around both say that they sit in the same place."""

RIVAL_RESIDUAL_RATIO = 4.0
"""Of several tensors nearest to one partner the nearest is taken if its residual variance is this
many times smaller; equally noised copies of one tensor stay within 1.3 (chi-square, 384 cells,
3 sd of the ratio), and nothing then tells which of them took its place."""

PREFIX_CORRELATION = 0.9
"""Each of the last four rows of a shorter matrix must correlate this well with the same row of
the longer one for it to be its beginning. Measured as the least of four over MiniLM's embeddings:
rows shifted by 1, 8 or 64 up to 0.49 in words and 0.79 in positions, noise of 1/708 0.985."""

MERGE_UNEXPLAINED = 0.02
"""Share of what the best single model leaves (above rounding) that a claimed mixture may leave,
upper confidence limit. Where the deviations of m models from the query are independent, or agree,
no mixture leaves less than 1/m: siblings measured ≥ 0.5, a parent among its children 1/m, so 0.2
for five and 0.17 with their base. Only the middle of a chain lies between its neighbours: in real
Adam runs, checkpoints 10 steps apart, the least share was 0.097, 25 steps apart 0.34. Real merges
by mergekit leave ≤ 1e-3 (``benchmarks/merges.py``)."""

MERGE_MIN_BLOCKS = 6
"""Blocks that a mixture must be read off, and that each parent of a layer-wise one must own."""

MERGE_SDS = 4.0
"""Sds of a residual variance (its degrees of freedom are known) allowed for in every comparison
of mixtures; chance exceeds it in 3e-5."""

MERGE_MAX_COEFFICIENT = 2.0
"""Largest coefficient of a parent. Task arithmetic adds whole changes (1.0), seldom more; a model
solved for from its own merge with a share of a half or less has 2.0 or more."""

MERGE_CURVE_TOLERANCE = 0.3
"""How far the slope of (a + b)² − 1 on 2ab(1 − cos θ) may lie from 1, which it is for spherical
interpolation and 0 for a linear mixture. θ is that of the block, not of the tensor: 1 − cos θ of
240 degrees of freedom has a relative sd of 0.09, and blocks of one tensor differ by as much."""

MERGE_WHOLE_SHARE = 0.95
"""Share of the tensors that must be wholly one parent's in a layer-wise mixture; the embedding of
a longer vocabulary may be nobody's."""

MERGE_SHAPE_REPEATS = 4
"""Blocks of one shape from which on they must come from several parents in a layer-wise mixture.
Models that trained only what their parent left alone are split by shape, not by layer."""

MERGE_CENTRED_NULL = {16: (-0.0855, 0.9904), 8: (-0.1971, 0.9815)}
"""Mean and sd, in units of ``TOP_SHARE_NULL``, of the top share where the residual was centred
before its rows were normalised, as those of mixtures are. Simulated: 20,000 matrices each."""

EDGE_NULL = (-1.79, 1.15)
"""Mean and sd of the scaled largest eigenvalue of noise with normalised rows. Simulated for 8 to
64 rows of 66 to 4,096 columns: mean -1.70 to -1.89, sd 0.97 to 1.19; Tracy-Widom alone, without
the normalisation, has -1.21 and 1.27."""

DEEP_MIN_VIEWS = 6
"""Changed tensors from which on 64 rows tell noise from training: of 1,000 simulated children of 8
tensors none was called noise (``benchmarks/noise.py``)."""

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
