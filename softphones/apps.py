from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SoftphonesConfig(AppConfig):
    name = "softphones"

    def ready(self):
        import softphones.helpdesk  # noqa: F401  (listens for new passwords that Audian confirmed)
        from softphones.configuration import after_migrate

        post_migrate.connect(after_migrate, sender=self)
