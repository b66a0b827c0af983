"""The R script that travels with the data: the same questions in R, with glmer for those who want a mixed model."""

from typing import Any

SCRIPT = """\
# {title}
# Reads presentations.csv from this folder. R >= 4.2; lme4 for the mixed model, MRMCaov and MRMCbinary where installed.
d <- read.csv("presentations.csv", stringsAsFactors = FALSE)
d <- subset(d, truth == 1 & arm %in% c("original", "{arm}") & !is.na(label))
d$correct <- as.integer(d$label == d$truth)
d$perturbed <- as.integer(d$arm == "{arm}")
d$reader_id <- factor(d$reader_id)
d$patch_id <- factor(d$patch_id)

# Table 1b: true positives per reader, set and arm
print(ftable(xtabs(correct ~ reader_id + set + arm, d)))

# One reader, one set: McNemar
for (part in split(d, list(d$reader_id, d$set), drop = TRUE)) {{
  wide <- reshape(part[, c("patch_id", "arm", "correct")], idvar = "patch_id", timevar = "arm", direction = "wide")
  b <- sum(wide$correct.original == 1 & wide[["correct.{arm}"]] == 0, na.rm = TRUE)
  c <- sum(wide$correct.original == 0 & wide[["correct.{arm}"]] == 1, na.rm = TRUE)
  p <- if (b + c == 0) 1 else binom.test(b, b + c)$p.value
  cat(sprintf("%s set %s: b = %d, c = %d, exact McNemar p = %.4f\\n", part$reader_id[1], part$set[1], b, c, p))
}}

# Mixed model: does the perturbation change the odds of a correct answer? Patches (and readers) random.
if (requireNamespace("lme4", quietly = TRUE)) {{
  form <- {formula}
  fit <- try(lme4::glmer(form, data = d, family = binomial,
                         control = lme4::glmerControl(optimizer = "bobyqa")))
  if (!inherits(fit, "try-error")) {{
    print(summary(fit))
    cat("With every answer right in one arm the odds ratio is infinite and this model says nothing.\\n")
  }}
}}

# Obuchowski-Rockette by MRMCaov: five dummy negatives rated 0.5 make the area under the curve the TPF
if (requireNamespace("MRMCaov", quietly = TRUE) && file.exists("mrmcaov.csv")) {{
  library(MRMCaov)
  m <- read.csv("mrmcaov.csv", stringsAsFactors = TRUE)
  print(summary(mrmc(empirical_auc(truth, rating), test, reader, case, data = m, cov = jackknife)))
}}

# Sensitivity by conditional logistic regression, first set
if (requireNamespace("MRMCbinary", quietly = TRUE) && file.exists("mrmcbinary-set1.csv")) {{
  m <- read.csv("mrmcbinary-set1.csv")
  print(summary(MRMCbinary::MRMCbinary(data = m, Modality = Modality, Reader = Reader, Case = Case, D = D, Y = Y,
                                       measure = "Sensitivity", effect = "Modality")))
}}
"""


def r_script(title: str, analysis: dict[str, Any]) -> str:
    """The script for one study; reader effects only where there are several readers."""
    terms = ["perturbed", "(1 | patch_id)"]
    if analysis["n"]["readers"] > 1:
        terms.append("(1 | reader_id)")
    one_line = " ".join(title.split())
    return SCRIPT.format(title=one_line, arm=analysis["perturbed_arm"], formula="correct ~ " + " + ".join(terms))
