# Reads the files of this folder and asks the main questions again in R (4.2 or newer). No package is needed; lme4 fits the
# mixed model, and iMRMC, MRMCaov, MRMCbinary and RJafroc open the files made for them, each where it is installed.
arm <- "PERTURBED ARM"
installed <- function(package) requireNamespace(package, quietly = TRUE)
heading <- function(text) cat("\n==", text, "==\n")
# One program that stops must not stop the others.
attempt <- function(what, expression) {
  tryCatch(expression, error = function(e) cat(what, "stopped:", conditionMessage(e), "\n"))
  invisible()
}

names_are_text <- c(reader_id = "character", patch_id = "character", arm = "character", group = "character")
d <- read.csv("presentations.csv", na.strings = "", colClasses = names_are_text)
d <- subset(d, truth == 1 & arm %in% c("original", get("arm", globalenv())))
# Which reading of this stimulus by this reader: the set, unless arms cross over between sets. Pairs are formed by it.
d$reading <- ave(d$set, d$reader_id, d$patch_id, d$arm, FUN = rank)
d <- subset(d, !is.na(label))
d$correct <- as.integer(d$label == d$truth)
d$perturbed <- as.integer(d$arm != "original")
for (name in c("reader_id", "patch_id")) d[[name]] <- factor(d[[name]])
unit <- ifelse(is.na(d$group), paste("patch", d$patch_id), paste("group", d$group))
per_unit <- tapply(as.character(d$patch_id), unit, function(patches) length(unique(patches)))
grouped <- any(per_unit > 1)
d$unit <- factor(unit)

heading("Table 1b: true positives per reader, set and arm")
print(ftable(xtabs(correct ~ reader_id + set + arm, d)))

heading("One reader, one reading: exact McNemar test")
for (part in split(d, list(d$reading, d$reader_id), drop = TRUE)) {
  pairs <- merge(subset(part, perturbed == 0), subset(part, perturbed == 1), by = "patch_id", suffixes = c(".o", ".p"))
  b <- sum(pairs$correct.o == 1 & pairs$correct.p == 0)
  c <- sum(pairs$correct.o == 0 & pairs$correct.p == 1)
  p <- if (b + c == 0) 1 else binom.test(b, b + c)$p.value
  cat(sprintf("%s reading %g: b = %d, c = %d, exact McNemar p = %.4f\n", part$reader_id[1], part$reading[1], b, c, p))
}

# Does the perturbation change the odds of a correct answer? Readers, patches and slides differ in how much it does, so that
# each needs a random slope, not only a random intercept (Barr et al. 2013). Where the data do not carry all slopes, the next
# simpler model is tried. Few readers are known less well than a normal distribution has it: t on their number less one.
# Simulated without a true change (5 readers, 40 patches, 2 sets), this finds one in 1 of 100 studies at the 5 % level, and
# random intercepts alone in 38 (benchmarks/mixed_model.R of Blindspot).
mixed_model <- function(d, factors) {
  terms <- function(form, of) vapply(of, function(one) gsub("FACTOR", one, form, fixed = TRUE), "")
  maximal <- terms("(1 + perturbed | FACTOR)", factors)
  apart <- terms("(1 | FACTOR) + (0 + perturbed | FACTOR)", factors)
  intercepts <- terms("(1 | FACTOR)", factors)
  not_patch <- setdiff(factors, "patch_id")
  candidates <- list("all slopes" = maximal, "all slopes, uncorrelated" = apart)
  if (length(not_patch)) {
    candidates[["slopes of readers and groups"]] <- c(terms("(1 + perturbed | FACTOR)", not_patch), "(1 | patch_id)")
  }
  for (one in factors) {
    candidates[[paste("slope of", one)]] <- c(intercepts, terms("(0 + perturbed | FACTOR)", one))
  }
  candidates[["no slopes"]] <- intercepts
  richest <- NULL
  for (name in names(candidates)) {
    formula <- reformulate(c("perturbed", candidates[[name]]), "correct")
    complaints <- character(0)
    fit <- tryCatch(
      withCallingHandlers(
        lme4::glmer(formula, data = d, family = binomial, control = lme4::glmerControl(optimizer = "bobyqa")),
        warning = function(w) { complaints <<- c(complaints, conditionMessage(w)); invokeRestart("muffleWarning") },
        message = function(m) invokeRestart("muffleMessage")
      ),
      error = function(e) { complaints <<- conditionMessage(e); NULL }
    )
    usable <- !is.null(fit) && is.finite(lme4::fixef(fit)[["perturbed"]]) && all(is.finite(sqrt(diag(as.matrix(vcov(fit))))))
    if (usable && !length(complaints) && !lme4::isSingular(fit)) return(list(fit = fit, name = name, sound = TRUE))
    why <- if (length(complaints)) complaints[1] else "singular: a variance is estimated as zero, or a correlation as one"
    cat(sprintf("%s: %s. A simpler model is tried.\n", name, trimws(why)))
    if (usable && is.null(richest)) richest <- list(fit = fit, name = name, sound = FALSE)
  }
  richest
}

heading("Mixed model")
shares <- tapply(d$correct, d$perturbed, mean)
if (!installed("lme4")) {
  cat("lme4 is not installed.\n")
} else if (any(shares %in% c(0, 1))) {
  cat("Every answer of one arm is right, or every one is wrong: the odds ratio is infinite, and the model says nothing.\n")
} else {
  attempt("lme4", {
    factors <- c(if (nlevels(d$reader_id) > 1) "reader_id", if (grouped) "unit", "patch_id")
    found <- mixed_model(d, factors)
    if (is.null(found)) {
      cat("No mixed model could be fitted.\n")
    } else {
      print(summary(found$fit), correlation = FALSE)
      estimate <- lme4::fixef(found$fit)[["perturbed"]]
      se <- sqrt(as.matrix(vcov(found$fit))["perturbed", "perturbed"])
      fewest <- min(vapply(factors, function(one) nlevels(droplevels(d[[one]])), 0L))
      ends <- exp(estimate + c(-1, 1) * qt(0.975, fewest - 1) * se)
      cat(sprintf("Odds ratio of a correct answer, perturbed against original: %.4f (95 %% interval %.4f to %.4f)\n",
                  exp(estimate), ends[1], ends[2]))
      cat(sprintf("p = %.4f, t on %d degrees of freedom; random effects: %s\n",
                  2 * pt(-abs(estimate / se), fewest - 1), fewest - 1, found$name))
      if (!found$sound) cat("No model was free of complaints: this is the richest that could be fitted. Mind its standard error.\n")
      if (found$name == "no slopes") cat("No random slope could be kept: where patches or readers do differ, this standard error is too small.\n")
    }
  })
}

# In the files below, five dummy negatives rated 0.5 make the area under the curve the TPF. Differences are original less
# perturbed. These programs take patches as independent: with several patches of one slide their intervals are too narrow.
for (file in list.files(pattern = "^mrmcaov.*[.]csv$")) {
  heading(paste("MRMCaov,", file))
  if (!installed("MRMCaov")) { cat("not installed\n"); next }
  attempt("MRMCaov", {
    suppressPackageStartupMessages(library(MRMCaov))
    m <- read.csv(file, na.strings = "", colClasses = c(reader = "factor", test = "factor", case = "factor"))
    # DeLong: dummy negatives add no variance to it, as they do to the jackknife. One reader cannot be a random one.
    print(summary(if (nlevels(m$reader) > 1) {
      mrmc(empirical_auc(truth, rating), test, reader, case, data = m, cov = DeLong)
    } else {
      mrmc(empirical_auc(truth, rating), test, fixed(reader), case, data = m, cov = DeLong)
    }))
  })
}
for (file in list.files(pattern = "[.]imrmc$")) {
  heading(paste("iMRMC,", file))
  if (!installed("iMRMC")) { cat("not installed\n"); next }
  if (nlevels(d$reader_id) < 2) { cat("iMRMC 2.1.2 stops for one reader\n"); next }
  attempt("iMRMC", {
    result <- iMRMC::doAUCmrmc(file)$Ustat
    shown <- c("modalityID.1", "modalityID.2", "AUC.1", "AUC.2", "AUC1minusAUC2", "botCIBDG", "topCIBDG", "pValueBDG")
    print(result[shown])
  })
}
for (file in list.files(pattern = "^rjafroc.*[.]xlsx$")) {
  heading(paste("RJafroc,", file))
  if (!installed("RJafroc")) { cat("not installed\n"); next }
  attempt("RJafroc", {
    m <- RJafroc::DfReadDataFile(file, newExcelFileFormat = TRUE)
    print(RJafroc::UtilFigureOfMerit(m, FOM = "Wilcoxon"))
    # It knows the jackknife only: with n patches its covariances are n (n + 4) / ((n - 1) (n + 5)) times DeLong's.
    if (nlevels(d$reader_id) > 1) {
      print(RJafroc::St(m, FOM = "Wilcoxon", method = "OR", analysisOption = "RRRC")$RRRC$ciDiffTrt)
    }
  })
}
for (file in list.files(pattern = "^mrmcbinary.*[.]csv$")) {
  heading(paste("MRMCbinary,", file))
  if (!installed("MRMCbinary")) { cat("not installed\n"); next }
  if (nlevels(d$reader_id) < 2) { cat("MRMCbinary wants two readers\n"); next }
  attempt("MRMCbinary", {
    m <- read.csv(file, na.strings = "", colClasses = c(Modality = "character", Reader = "character", Case = "character"))
    print(summary(MRMCbinary::MRMCbinary(data = m, Modality = Modality, Reader = Reader, Case = Case, D = D, Y = Y,
                                         measure = "Sensitivity", effect = "Modality")))
  })
}
