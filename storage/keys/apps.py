from django.apps import AppConfig


class StorageKeysConfig(AppConfig):
    name = "storage.keys"
    label = "storage_keys"
