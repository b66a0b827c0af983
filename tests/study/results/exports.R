# Opens the files of exports as their programs do and prints numbers, one `folder name value` a line, for test_in_r.py to
# compare: Rscript exports.R FOLDER ... . Plain R; readxl reads the workbook. Where iMRMC, MRMCaov, MRMCbinary or RJafroc
# is installed, it opens its file as well, and its numbers follow.
say <- function(...) cat(paste0(...), "\n")
put <- function(name, value) for (i in seq_along(value)) {
  cat(sprintf("%s\t%s%s\t%.15g\n", basename(getwd()), name, if (length(value) > 1) paste0(".", i) else "", as.numeric(value[i])))
}
installed <- function(package) requireNamespace(package, quietly = TRUE)

# Obuchowski & Rockette's analysis with Hillis' degrees of freedom, from ratings: areas by the trapezoidal rule,
# covariances by DeLong, DeLong & Clarke-Pearson (1988). Columns: reader, test, case, truth, rating.
obuchowski_rockette <- function(m) {
  m$reader <- as.character(m$reader)
  arms <- c("original", "perturbed")
  stopifnot(setequal(unique(as.character(m$test)), arms))
  keys <- expand.grid(test = arms, reader = sort(unique(m$reader)), stringsAsFactors = FALSE)
  n_readers <- length(unique(m$reader))
  one <- lapply(seq_len(nrow(keys)), function(i) {
    part <- m[m$reader == keys$reader[i] & m$test == keys$test[i], ]
    positive <- part[part$truth == 1, ]; negative <- part[part$truth == 0, ]
    positive <- positive[order(positive$case), ]; negative <- negative[order(negative$case), ]
    wins <- outer(positive$rating, negative$rating, function(x, y) (x > y) + 0.5 * (x == y))
    list(area = mean(wins), v10 = setNames(rowMeans(wins), positive$case), v01 = setNames(colMeans(wins), negative$case))
  })
  area <- vapply(one, `[[`, 0, "area")
  # Covariances are over the cases that every reader answered in both arms.
  shared <- function(name) {
    parts <- lapply(one, `[[`, name)
    cases <- Reduce(intersect, lapply(parts, names))
    vapply(parts, function(part) part[cases], numeric(length(cases)))
  }
  v10 <- shared("v10"); v01 <- shared("v01")
  s <- cov(v10) / nrow(v10) + cov(v01) / nrow(v01)
  same_reader <- outer(keys$reader, keys$reader, "=="); same_test <- outer(keys$test, keys$test, "==")
  theta <- matrix(area, 2)  # arms by readers
  delta <- mean(theta[2, ] - theta[1, ])
  result <- list(theta = theta, delta = delta, var = mean(s[same_reader & same_test]), cov1 = mean(s[same_reader & !same_test]))
  if (n_readers > 1) {
    cov2 <- mean(s[!same_reader & same_test]); cov3 <- mean(s[!same_reader & !same_test])
    rest <- theta - rowMeans(theta) - rep(colMeans(theta), each = 2) + mean(theta)
    ms_tr <- sum(rest^2) / (n_readers - 1)
    error <- ms_tr + n_readers * max(cov2 - cov3, 0)
    df <- error^2 / (ms_tr^2 / (n_readers - 1))
    se <- sqrt(2 / n_readers * error)
    result <- c(result, list(cov2 = cov2, cov3 = cov3, se = se, df = df, p = 2 * pt(-abs(delta / se), df),
                             ci95 = delta + c(-1, 1) * qt(0.975, df) * se))
  }
  result
}
put_or <- function(name, m) {
  found <- obuchowski_rockette(m)
  for (part in names(found)) put(paste0(name, ".", part), found[[part]])
}

open_folder <- function() {
  # --- presentations.csv and the other tables ---
  d <- read.csv("presentations.csv", na.strings = "",
                colClasses = c(reader_id = "character", patch_id = "character", arm = "character"))
  put("presentations.rows", nrow(d))
  d <- d[d$truth == 1 & d$arm %in% c("original", "perturbed"), ]
  d$reading <- ave(d$set, d$reader_id, d$patch_id, d$arm, FUN = rank)
  d <- d[!is.na(d$label), ]
  d$rating <- as.integer(d$label == d$truth)
  for (name in c("responses.csv", "readers.csv", "stimuli.csv", "data_dictionary.csv", "audit_log.csv")) {
    if (file.exists(name)) put(paste0(name, ".rows"), nrow(read.csv(name, na.strings = "")))
  }
  if (file.exists("table_1.csv")) {
    t1 <- read.csv("table_1.csv", na.strings = "", colClasses = c(reader = "character"))
    t1 <- t1[t1$source == "this study" & t1$reader != "model" & !is.na(t1$set), ]
    for (i in seq_len(nrow(t1))) for (one in c("original", "perturbed")) {
      mine <- d[d$reader_id == t1$reader[i] & d$set == t1$set[i] & d$arm == one, ]
      stopifnot(sum(mine$rating) == t1[[paste0(one, "_tp")]][i], nrow(mine) == t1[[paste0(one, "_n")]][i])
    }
    say("table_1.csv agrees with presentations.csv")
  }
  if (file.exists("SHA256SUMS") && nzchar(Sys.which("sha256sum"))) {
    stopifnot(system("sha256sum --check --quiet SHA256SUMS") == 0)
  }

  # --- the files of other programs ---
  as_read <- list()
  for (file in list.files(pattern = "^mrmcaov.*[.]csv$")) {
    m <- read.csv(file, na.strings = "", colClasses = c(reader = "character", test = "character", case = "character"))
    stopifnot(identical(names(m), c("reader", "test", "case", "truth", "rating")), !anyNA(m),
              !anyDuplicated(m[c("reader", "test", "case")]), all(tapply(m$truth, m$case, sd) %in% 0))
    put_or(file, m)
    if (installed("MRMCaov")) {
      suppressPackageStartupMessages(library(MRMCaov))  # it looks for its data among the globals
      f <<- transform(m, reader = factor(reader), test = factor(test), case = factor(case))
      several <- nlevels(f$reader) > 1
      found <- summary(if (several) mrmc(empirical_auc(truth, rating), test, reader, case, data = f, cov = DeLong)
                       else mrmc(empirical_auc(truth, rating), test, fixed(reader), case, data = f, cov = DeLong))
      put(paste0("MRMCaov:", file, ".delta"), -found$test_diffs$Estimate)
      if (several) {
        put(paste0("MRMCaov:", file, ".se"), found$test_diffs$StdErr)
        put(paste0("MRMCaov:", file, ".df"), found$test_diffs$df)
        put(paste0("MRMCaov:", file, ".p"), found$test_diffs$`p-value`)
        put(paste0("MRMCaov:", file, ".ci95"), -rev(unlist(found$test_diffs$CI)))
      }
    }
  }
  for (file in list.files(pattern = "[.]imrmc$")) {
    lines <- readLines(file)
    begin <- grep("BEGIN DATA:", lines)
    stopifnot(length(begin) == 1)
    count <- function(key) as.integer(sub(".*: *", "", grep(paste0("^", key, ":"), lines[seq_len(begin)], value = TRUE)))
    m <- read.csv(file, header = FALSE, skip = begin, col.names = c("reader", "case", "test", "rating"),
                  colClasses = c("character", "character", "character", "numeric"))
    stopifnot(!anyDuplicated(m[c("reader", "case", "test")]))
    truth <- m[m$test == "truth", ]
    stopifnot(all(truth$reader == "truth"), all(truth$rating %in% 0:1), sum(truth$rating == 0) == count("N0"),
              sum(truth$rating == 1) == count("N1"))
    m <- m[m$test != "truth", ]
    stopifnot(all(m$case %in% truth$case), length(unique(m$reader)) == count("NR"), length(unique(m$test)) == count("NM"))
    m$truth <- truth$rating[match(m$case, truth$case)]
    put_or(file, m)
    if (installed("iMRMC") && length(unique(m$reader)) > 1) {
      found <- iMRMC::doAUCmrmc(file)$Ustat
      found <- found[found$modalityID.1 == "original" & found$modalityID.2 == "perturbed", ]
      put(paste0("iMRMC:", file, ".delta"), -found$AUC1minusAUC2)
    }
  }
  for (file in list.files(pattern = "^rjafroc[^_]*[.]xlsx$")) {
    sheet <- function(name) as.data.frame(readxl::read_excel(file, sheet = name))
    truth <- sheet("TRUTH"); tp <- sheet("TP"); fp <- sheet("FP")
    stopifnot(identical(names(truth)[1:6], c("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm")),
              identical(truth$Paradigm[1:2], c("ROC", "FCTRL")), !anyNA(truth[1:5]), !anyDuplicated(truth$CaseID))
    listed <- function(x) strsplit(gsub(" ", "", x), ",")[[1]]
    readers <- listed(truth$ReaderID[1]); arms <- listed(truth$ModalityID[1])
    m <- rbind(
      data.frame(reader = tp$ReaderID, test = tp$ModalityID, case = tp$CaseID, truth = 1, rating = tp$TP_Rating),
      data.frame(reader = fp$ReaderID, test = fp$ModalityID, case = fp$CaseID, truth = 0, rating = fp$FP_Rating)
    )
    stopifnot(nrow(m) == nrow(truth) * length(readers) * length(arms), !anyDuplicated(m[c("reader", "test", "case")]),
              setequal(m$reader, readers), all((truth$LesionID[match(m$case, truth$CaseID)] > 0) == (m$truth == 1)))
    known <- read.csv(sub("rjafroc", "rjafroc_cases", sub("xlsx$", "csv", file)))
    stopifnot(setequal(known$CaseID, truth$CaseID))
    put_or(file, m)
    if (installed("RJafroc")) {
      found <- RJafroc::DfReadDataFile(file, newExcelFileFormat = TRUE)
      areas <- as.matrix(RJafroc::UtilFigureOfMerit(found, FOM = "Wilcoxon"))
      put(paste0("RJafroc:", file, ".theta"), areas)
      if (length(readers) > 1) {
        n <- sum(truth$LesionID > 0)
        inflated <- n * (n + 4) / ((n - 1) * (n + 5))  # jackknife over n + 5 cases against DeLong
        parts <- RJafroc::St(found, FOM = "Wilcoxon", method = "OR", analysisOption = "RRRC")$ANOVA$VarCom
        for (part in c("Cov1", "Cov2", "Cov3", "Var")) {
          put(paste0("RJafroc:", file, ".", tolower(part)), parts[part, "Estimates"] / inflated)
        }
      }
    }
  }
  for (file in list.files(pattern = "^mrmcbinary.*[.]csv$")) {
    m <- read.csv(file, na.strings = "", colClasses = c(Modality = "character", Reader = "character", Case = "character"))
    stopifnot(identical(names(m), c("Modality", "Reader", "Case", "D", "Y")), all(m$D == 1), all(m$Y %in% 0:1),
              all(table(m$Modality, m$Reader, m$Case) == 1))
    put(paste0(file, ".theta"), with(m, tapply(Y, list(Modality, Reader), mean)))
    put(paste0(file, ".patches"), length(unique(m$Case)))
    if (installed("MRMCbinary") && length(unique(m$Reader)) > 1) {
      # It tests each reader by McNemar's test and stops where a reader gave one answer throughout an arm.
      tryCatch(
        invisible(MRMCbinary::MRMCbinary(data = m, Modality = Modality, Reader = Reader, Case = Case, D = D, Y = Y,
                                         measure = "Sensitivity", effect = "Modality")),
        error = function(e) if (!grepl("must be square", conditionMessage(e))) stop(e)
      )
      put(paste0("MRMCbinary:", file, ".read"), 1)
    }
  }
}
for (folder in commandArgs(trailingOnly = TRUE)) {
  setwd(folder)
  withCallingHandlers(open_folder(), error = function(e) message("in ", folder))
}
for (package in c("iMRMC", "MRMCaov", "MRMCbinary", "RJafroc")) {
  say("package ", package, " ", if (installed(package)) as.character(packageVersion(package)) else "not installed")
}
