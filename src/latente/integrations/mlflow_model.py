"""What MLflow runs to load a logged model (models from code)."""

from mlflow.models import set_model

from latente.integrations.mlflow import LatenteModel

set_model(LatenteModel())
