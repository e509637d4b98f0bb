from django.contrib import admin

from .models import Commission, ExchangeRate, Ticket, WithdrawnItem

admin.site.register([Commission, ExchangeRate, Ticket, WithdrawnItem])
