"""What every service of the cloud stands on: the database and the values passed around."""
