"""What a run was and what it did, told to MLflow. The only package that imports mlflow, and only when a run is open."""
