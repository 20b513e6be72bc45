from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("article", "stock", models.IntegerField(null=True)),
        migrations.AddIndex("article", models.Index(fields=["stock"], name="shop_article_stock")),
    ]
