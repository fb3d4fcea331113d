"""Databases of studies."""

import optuna


def trials(storage):
    backend = optuna.storages.RDBStorage(storage)
    try:
        return optuna.load_study(study_name="influence_jax", storage=backend).trials
    finally:
        backend.remove_session()
        backend.engine.dispose()
