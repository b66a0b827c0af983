# How often the exported script's mixed model finds a difference where there is none:
#   Rscript benchmarks/mixed_model.R [STUDIES]     from the project's folder; 150 studies take 4 to 10 minutes
# Readers and patches lose or gain by chance (SD .5 and .9 logits), the mean change is 0; 5 readers, 40 patches, 2 sets.
# Printed: the share of p < .05 by the script's ladder with its t, by the same with a normal distribution, and by random
# intercepts alone, each with its Monte Carlo error.
script <- readLines("study/results/exports/analysis.R")
first <- grep("^mixed_model <- function", script)
last <- first - 1 + grep("^}", script[first:length(script)])[1]
eval(parse(text = script[first:last]))
suppressMessages(library(lme4))
wanted <- commandArgs(trailingOnly = TRUE)
studies <- if (length(wanted)) as.integer(wanted[1]) else 150
readers <- 5; patches <- 40; sets <- 2
set.seed(1)
p_of <- function(fit, df) {
  2 * pt(-abs(fixef(fit)[["perturbed"]] / sqrt(as.matrix(vcov(fit))["perturbed", "perturbed"])), df)
}
p <- NULL
while (NROW(p) < studies) {
  d <- expand.grid(reader_id = factor(1:readers), patch_id = factor(1:patches), set = 1:sets, perturbed = 0:1)
  patch <- rnorm(patches); patch_change <- rnorm(patches, 0, 0.9)
  reader <- rnorm(readers, 0, 0.5); reader_change <- rnorm(readers, 0, 0.5)
  change <- patch_change[d$patch_id] + reader_change[d$reader_id]
  d$correct <- rbinom(nrow(d), 1, plogis(2.2 + patch[d$patch_id] + reader[d$reader_id] + d$perturbed * change))
  if (any(tapply(d$correct, d$perturbed, mean) %in% 0:1)) next
  invisible(capture.output(found <- mixed_model(d, c("reader_id", "patch_id"))))
  if (is.null(found)) next
  plain <- suppressWarnings(suppressMessages(glmer(correct ~ perturbed + (1 | reader_id) + (1 | patch_id), data = d,
                                                   family = binomial, control = glmerControl(optimizer = "bobyqa"))))
  p <- rbind(p, c(script_t = p_of(found$fit, readers - 1), script_z = p_of(found$fit, Inf), intercepts_z = p_of(plain, Inf)))
}
share <- colMeans(p < 0.05)
print(round(rbind(false_claims = share, monte_carlo_error = sqrt(share * (1 - share) / nrow(p))), 3))
