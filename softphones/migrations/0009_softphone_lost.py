from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('softphones', '0008_search_by_code_point'),
    ]

    operations = [
        migrations.AddField(model_name='softphone', name='lost_at', field=models.DateTimeField(null=True)),
        migrations.AddField(model_name='softphone', name='lost_after', field=models.DateTimeField(null=True)),
        migrations.AddField(model_name='softphone', name='lost_since', field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name='softphone', name='lost_address', field=models.CharField(blank=True, default='', max_length=64)
        ),
        migrations.AddField(
            model_name='softphone', name='lost_agent', field=models.CharField(blank=True, default='', max_length=256)
        ),
    ]
