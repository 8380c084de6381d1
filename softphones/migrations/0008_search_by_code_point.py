from django.db import migrations, models

import portal.fields


class Migration(migrations.Migration):

    dependencies = [
        ('softphones', '0007_changes'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='searchword',
            name='search_by_word',
        ),
        migrations.AlterField(
            model_name='searchword',
            name='word',
            field=portal.fields.CodePointField(max_length=64),
        ),
        migrations.AddIndex(
            model_name='searchword',
            index=models.Index(fields=['account', 'word', 'id'], name='search_by_word'),
        ),
    ]
