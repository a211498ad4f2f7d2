"""Flask extensions: created here, initialised in `create_app()`."""

from flask import request
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from chatapp.limits.networks import client_network
from chatapp.models.base import Base


def get_client_network() -> str:
    """Return the network of the client of the current request, by which visitors are limited."""
    return client_network(request.remote_addr or "")


db = SQLAlchemy(model_class=Base)
login_manager = LoginManager()
csrf = CSRFProtect()
