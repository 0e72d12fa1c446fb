#!/usr/bin/env bash
# autorank 1.3.0 ("populations in a repeated measures experiment", as nets trained with the same seeds):
# of three or more nets whose accuracies look normal, it asks by an ANOVA for repeated measures, which
# pairs by seed, whether they differ at all, and then by Tukey's HSD for independent samples which
# ones do. What the seeds have in common is noise to the second: however sure the first is, none is
# told apart, and the report says so. Paired tests tell them; and so does autorank if given two nets.
#
#   10 seeds that spread by 0.011; "se" is better by 0.004 +- 0.001 with each       seen
#   ANOVA of plain, eca and se                  p = 9e-12
#   Tukey's intervals                           all overlap: "no significant differences within the
#                                               following groups: eca, plain, and se"
#   paired t-test of plain and se               p = 4e-08, and autorank of these two the same
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install autorank==1.3.0 baycomp==1.0.3 numpy==2.4.6 \
  scipy==1.17.1 pandas==3.1.1 statsmodels==0.15.0 matplotlib==3.11.2
cd "$folder"
cat > nets.py <<'END'
import contextlib
import io

import numpy as np
import pandas as pd
import scipy.stats
from autorank import autorank, create_report

rng = np.random.default_rng(0)
plain = rng.normal(0.9, 0.015, 10)
nets = pd.DataFrame(
    {
        "plain": plain,
        "eca": plain + rng.normal(0, 0.001, 10),
        "se": plain + 0.004 + rng.normal(0, 0.001, 10),
    }
)
three = autorank(nets, alpha=0.05)
two = autorank(nets[["plain", "se"]], alpha=0.05)
with contextlib.redirect_stdout(io.StringIO()) as report:
    create_report(three)
paired = scipy.stats.ttest_rel(nets.se, nets.plain).pvalue
print(report.getvalue())
print(f"{three.omnibus} p = {three.pvalue:.1g}; {three.posthoc}")
print(three.rankdf[["mean", "ci_lower", "ci_upper"]])
print(f"paired t-test p = {paired:.1g}; {two.omnibus} of two p = {two.pvalue:.1g}")

assert (three.omnibus, three.posthoc) == ("anova", "tukeyhsd")
assert three.pvalue < 1e-6
assert three.rankdf.ci_lower.max() < three.rankdf.ci_upper.min()
verdict = "no significant differences within the following groups: eca, plain, and se"
assert verdict in report.getvalue()
assert two.omnibus == "ttest" and np.isclose(two.pvalue, paired) and paired < 1e-4
END
venv/bin/python -W ignore nets.py
