#!/usr/bin/env bash
# deepsig 1.2.8 (deep-significance, which compares nets by the scores of their seeds):
# bonferroni_correction sorts the p-values, corrects them, and puts them back in a wrong order: from
# three on, a comparison may get another's p-value, and what was least significant is declared the
# most. (What it computes is Holm's step without its maximum, not Bonferroni's.) aso(...,
# num_comparisons=n) divides what is added to the level in place of alpha: 3 comparisons are corrected
# less than 2, and 100 hardly at all; multi_aso, by default, the same. And bootstrap_power_analysis,
# "Welch's t-test", takes the paired one of two samples drawn independently.
#
#   p-values                   0.03     0.5      0.001
#   corrected, seen            0.5      0.003    0.06
#   Bonferroni                 0.09     1        0.003       Holm  0.06  0.5  0.003
#
#   num_comparisons            1        2        3        10       100
#   level of aso, seen         0.95     0.975    0.9667   0.955    0.9505
#   Bonferroni                 0.95     0.975    0.9833   0.995    0.9995
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  deepsig==1.2.8 joblib==1.6.0 numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 pandas==3.1.1
cd "$folder"
cat > corrected.py <<'END'
import numpy as np
import scipy.stats
from deepsig import aso, bonferroni_correction, bootstrap_power_analysis
from statsmodels.stats.multitest import multipletests

p = [0.03, 0.5, 0.001]
seen = bonferroni_correction(p)
print("seen", seen, *(multipletests(p, method=name)[1] for name in ("bonferroni", "holm")))
assert np.allclose(seen, [0.5, 0.003, 0.06])
assert np.allclose(sorted(seen), sorted(multipletests(p, method="holm")[1]))
assert np.allclose(bonferroni_correction(sorted(p)), [0.003, 0.06, 0.5])

# The bound of aso is linear in the quantile of the level, which can so be read off it.
rng = np.random.default_rng(0)
first, second = rng.normal(0.5, 1, 10), rng.normal(0, 1, 10)


def bound(comparisons=1, level=0.95):
    return aso(
        first,
        second,
        confidence_level=level,
        num_comparisons=comparisons,
        num_bootstrap_iterations=200,
        show_progress=False,
        seed=1,
    )


z = scipy.stats.norm.ppf
slope = (bound(level=0.99) - bound()) / (z(0.99) - z(0.95))
counts = (1, 2, 3, 10, 100)
levels = [scipy.stats.norm.cdf(z(0.95) + (bound(n) - bound()) / slope) for n in counts]
print(dict(zip(counts, np.round(levels, 4).tolist(), strict=True)))
assert 0 < bound() and bound(level=0.99) < 1
assert np.allclose(levels, [0.95, 0.975, 0.95 + 0.05 / 3, 0.955, 0.9505], atol=1e-6)

scores = rng.normal(1, 0.2, 5)


def power(name):
    test = getattr(scipy.stats, name)
    options = {"equal_var": False} if name == "ttest_ind" else {}
    return bootstrap_power_analysis(
        scores,
        num_bootstrap_iterations=500,
        significance_test=lambda a, b: test(a, b, alternative="greater", **options).pvalue,
        show_progress=False,
        seed=1,
    )


default = bootstrap_power_analysis(
    scores, num_bootstrap_iterations=500, show_progress=False, seed=1
)
print("power", default, "paired", power("ttest_rel"), "Welch's", power("ttest_ind"))
assert default == power("ttest_rel") != power("ttest_ind")
END
venv/bin/python -W ignore corrected.py
