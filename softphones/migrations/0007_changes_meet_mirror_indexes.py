from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('softphones', '0006_changes'),
        ('softphones', '0006_mirror_indexes'),
    ]

    operations = []
