# The parts of the benchmark programs.
# SPDX-License-Identifier: Apache-2.0
