#!/usr/bin/env bash
# Everything worth knowing about a machine with an accelerator, in at most nine minutes: whether it computes what the CPU
# computes, how fast, with how much memory, and where the time goes. Small JSON files, plots and a table are left in DIR.
#
#   benchmarks/accelerator.sh [--small] [DIR]       DIR is benchmarks/results/<device> by default
#
# --small takes sizes for a CPU. PYTHON names the interpreter (python3), BUDGET the seconds in all (540). Sizes are in the
# variables below; each may be set from outside. A part that fails or runs out of time is named at the end; its rows so far
# are kept.
set -euo pipefail

small=false
if [[ "${1:-}" == --small ]]; then
  small=true
  shift
fi
if $small; then
  : "${ENVS:=64 256}" "${LEARNER_ENVS:=8 32}" "${SEEDS:=1 4}" "${SEED_ENVS:=8}" "${AGENTS:=2 5}" "${PROFILE_ENVS:=32}"
  : "${MEMORY_SIZES:=16 20 5 1 32 20 5 1 16 20 5 2}" "${REPEATS:=3}"
else
  : "${ENVS:=1024 4096 16384 65536}" "${LEARNER_ENVS:=256 1024 4096}" "${SEEDS:=1 8 64}" "${SEED_ENVS:=64}"
  : "${AGENTS:=2 5 10}" "${PROFILE_ENVS:=1024}" "${MEMORY_SIZES:=256 20 5 1 1024 20 5 1 256 20 5 4}" "${REPEATS:=5}"
fi
: "${PYTHON:=python3}" "${BUDGET:=540}" "${PRESET:=cleanup-moa}"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
# A program that learns compiles for half a minute on a GPU; what one part compiled, the next finds.
export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$(mktemp -d)}"
find_device='import jax; print("".join(c if c.isalnum() else "_" for c in jax.devices()[0].device_kind.lower()))'
out=${1:-$root/benchmarks/results/$("$PYTHON" -c "$find_device")}
mkdir -p "$out"
: >"$out/table.txt"
failed=()

# part SECONDS NAME QUESTION OPTIONS...: ask a question, for so many seconds at most and no longer than the budget lasts.
# Its results go into a folder of their own, since one question may be asked twice.
part() {
  local seconds=$1 name=$2 left=$((BUDGET - SECONDS))
  shift 2
  ((seconds < left)) && left=$seconds
  echo "== $name ($left s at most; $SECONDS s so far)" | tee -a "$out/table.txt"
  if ((left < 5)) || ! timeout "$left" "$PYTHON" -m influence_jax.bench "$@" --out "$out/$name" 2>&1 | tee -a "$out/table.txt"; then
    failed+=("$name")
  fi
}

# Word splitting is wanted: the variables hold lists.
# shellcheck disable=SC2086
{
  part 100 agreement agreement
  part 90 env env --num-envs $ENVS --repeats "$REPEATS" --cores None
  part 80 learner learner --presets "$PRESET" --num-envs $LEARNER_ENVS --updates 2 --repeats "$REPEATS"
  part 80 population learner --presets "$PRESET" --num-envs "$SEED_ENVS" --seeds $SEEDS --updates 2 --repeats "$REPEATS"
  part 60 encoder encoder --repeats "$REPEATS"
  part 50 profile profile --preset "$PRESET" --num-envs "$PROFILE_ENVS"
  part 90 influence influence --presets "$PRESET" cleanup-communication --num-envs "$PROFILE_ENVS" --updates 2 \
    --repeats "$REPEATS"
  part 90 scaling scaling --num-envs $ENVS --learner-envs --seeds --num-agents $AGENTS --agent-envs "$PROFILE_ENVS" \
    --repeats "$REPEATS"
  part 80 memory memory --presets "$PRESET" --sizes $MEMORY_SIZES
}

echo "== done after $SECONDS s; results in $out" | tee -a "$out/table.txt"
if ((${#failed[@]})); then
  echo "== failed or out of time: ${failed[*]}" | tee -a "$out/table.txt"
  exit 1
fi
