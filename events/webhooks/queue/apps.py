from django.apps import AppConfig


class WebhookQueueConfig(AppConfig):
    name = "events.webhooks.queue"
    label = "webhook_queue"
