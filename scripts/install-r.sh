#!/usr/bin/env bash
# R for `make test-r`: the distribution's R with lme4 and readxl, installed when they are missing and we may.
#   scripts/install-r.sh             R alone; ends with 1 where it is missing and cannot be installed
#   scripts/install-r.sh packages    iMRMC, MRMCaov, MRMCbinary and RJafroc as well, from CRAN, into R's own library:
#                                    the distribution does not have them, and the tests do without where they are missing
set -eu
wanted=()
command -v Rscript >/dev/null || wanted+=(r-base-core)
for package in lme4 readxl; do
  if ! command -v Rscript >/dev/null || ! Rscript -e "quit(status = !requireNamespace('$package', quietly = TRUE))" >/dev/null 2>&1; then
    wanted+=("r-cran-$package")
  fi
done
if [ ${#wanted[@]} -gt 0 ]; then "$(dirname "$0")/apt-install.sh" "the tests in R" "${wanted[@]}"; fi
if [ "${1:-}" = packages ]; then
  Rscript -e 'wanted <- c("iMRMC", "MRMCaov", "MRMCbinary", "RJafroc")' \
    -e 'missing <- setdiff(wanted, rownames(installed.packages()))' \
    -e 'if (length(missing)) install.packages(missing, repos = "https://cloud.r-project.org")' \
    -e 'quit(status = length(setdiff(wanted, rownames(installed.packages()))))'
fi
Rscript -e 'cat(R.version.string, "\n")' \
  -e 'for (package in c("lme4", "readxl", "iMRMC", "MRMCaov", "MRMCbinary", "RJafroc")) cat(package,' \
  -e '  if (requireNamespace(package, quietly = TRUE)) as.character(packageVersion(package))' \
  -e '  else "is not installed: its file is read by plain R that keeps to its format", "\n")' >&2
