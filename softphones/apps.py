from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate, pre_migrate


class SoftphonesConfig(AppConfig):
    name = "softphones"

    def ready(self):
        import softphones.helpdesk  # noqa: F401  (listens for new passwords that Audian confirmed)
        from portal.checks import servers
        from softphones.configuration import after_migrate, before_migrate

        checks.register(servers, deploy=True)
        pre_migrate.connect(before_migrate, sender=self)
        post_migrate.connect(after_migrate, sender=self)
