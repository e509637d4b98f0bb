from django.contrib import admin

from .models import Commission, ExchangeRate, PriorityChange, Ticket, WithdrawnItem

admin.site.register([Commission, ExchangeRate, PriorityChange, Ticket, WithdrawnItem])
