#!/usr/bin/env bash
# Everything worth knowing about a machine with an accelerator, in at most nine minutes: whether it computes what the CPU
# computes, how fast, with how much memory, and where the time goes. Small JSON files, plots and a table are left in DIR.
#
#   benchmarks/accelerator.sh [--small] [DIR]       DIR is benchmarks/results/<device> by default
#
# --small takes sizes for a CPU. PYTHON names the interpreter (python3), BUDGET the seconds in all (540). Sizes are in the
# variables below; each may be set from outside. WARM is for how many seconds all programs are compiled side by side first, on a
# machine with many cores. A part that fails or runs out of time is named at the end; its rows so far are kept.
set -euo pipefail

small=false
if [[ "${1:-}" == --small ]]; then
  small=true
  shift
fi
if $small; then
  : "${ENVS:=64 256}" "${LEARNER_ENVS:=8 32}" "${SEEDS:=1 4}" "${SEED_ENVS:=8}" "${AGENTS:=2 5}" "${PROFILE_ENVS:=32}"
  : "${VIEWS:=64}" "${MEMORY_SIZES:=16 20 5 1 32 20 5 1 16 20 5 2}" "${REPEATS:=3}"
else
  : "${ENVS:=1024 4096 16384 65536}" "${LEARNER_ENVS:=256 1024 4096}" "${SEEDS:=1 8 64}" "${SEED_ENVS:=64}"
  : "${AGENTS:=5 10}" "${PROFILE_ENVS:=1024}" "${VIEWS:=8192}" "${MEMORY_SIZES:=256 20 5 1 1024 20 5 1 256 20 5 4}"
  : "${REPEATS:=5}"
fi
: "${PYTHON:=python3}" "${BUDGET:=540}" "${WARM:=0}" "${PRESET:=cleanup-moa}"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
# A program that learns compiles for half a minute on a GPU; what one part compiled, the next finds.
export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$(mktemp -d)}"
find_device='import jax; print("".join(c if c.isalnum() else "_" for c in jax.devices()[0].device_kind.lower()))'
out=${1:-$root/benchmarks/results/$("$PYTHON" -c "$find_device")}
mkdir -p "$out"
: >"$out/table.txt"
failed=()

# part SECONDS NAME MODULE OPTIONS...: ask a question, for so many seconds at most and no longer than the budget lasts.
# Its results go into a folder of their own, since one question may be asked twice.
part() {
  local seconds=$1 name=$2 left=$((BUDGET - SECONDS))
  shift 2
  ((seconds < left)) && left=$seconds
  echo "== $name ($left s at most; $SECONDS s so far)" | tee -a "$out/table.txt"
  if ((left < 5)) || ! timeout "$left" "$PYTHON" -m "$@" --out "$out/$name" 2>&1 | tee -a "$out/table.txt"; then
    failed+=("$name")
  fi
}

# warm SECONDS NAME MODULE OPTIONS...: the same in the background, only for what it compiles.
warm() {
  timeout "$WARM" "$PYTHON" -m "${@:3}" >"$out/warm/$2.txt" 2>&1 &
}

# Word splitting is wanted: the variables hold lists.
# shellcheck disable=SC2086
questions() {
  $1 60 agreement benchmarks agreement
  $1 60 compiled benchmarks compiled --target here --num-envs 4096 --presets "$PRESET" cleanup-a3c --learner-envs 256
  $1 90 env influence_jax bench env --num-envs $ENVS --repeats "$REPEATS" --cores None
  $1 80 learner influence_jax bench learner --presets "$PRESET" --num-envs $LEARNER_ENVS --updates 2 --repeats "$REPEATS"
  $1 80 independent influence_jax bench learner --presets cleanup-a3c --num-envs $LEARNER_ENVS --updates 2 --repeats "$REPEATS"
  $1 80 population influence_jax bench learner --presets "$PRESET" --num-envs "$SEED_ENVS" --seeds $SEEDS --updates 2 --repeats "$REPEATS"
  $1 60 encoder benchmarks encoder --views $VIEWS --pieces $VIEWS --repeats "$REPEATS"
  $1 50 profile benchmarks profile --preset "$PRESET" --num-envs "$PROFILE_ENVS"
  $1 90 influence influence_jax bench influence --presets "$PRESET" --num-envs "$PROFILE_ENVS" --updates 2 --repeats "$REPEATS"
  $1 90 agents influence_jax bench scaling --num-envs 4096 --learner-envs --seeds --num-agents $AGENTS --agent-envs "$PROFILE_ENVS" --repeats "$REPEATS"
  $1 80 memory influence_jax bench memory --presets "$PRESET" --sizes $MEMORY_SIZES
}

if ((WARM > 0)); then
  echo "== compiling everything side by side, $WARM s at most" | tee -a "$out/table.txt"
  mkdir -p "$out/warm"
  XLA_PYTHON_CLIENT_PREALLOCATE=false questions warm
  wait
  rm -r "$out/warm"
fi
questions part

echo "== done after $SECONDS s; results in $out" | tee -a "$out/table.txt"
if ((${#failed[@]})); then
  echo "== failed or out of time: ${failed[*]}" | tee -a "$out/table.txt"
  exit 1
fi
