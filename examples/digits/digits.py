"""One trial: a support vector machine on the digits data set, judged by cross-validation."""

import nni
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

parameters = {"C": 1.0, "gamma": 0.01, "kernel": "rbf", "degree": 3}
parameters.update(nni.get_next_parameter())

features, labels = load_digits(return_X_y=True)
accuracies = []
for training, validation in StratifiedKFold(n_splits=5, shuffle=True, random_state=0).split(features, labels):
    model = make_pipeline(StandardScaler(), SVC(**parameters))
    model.fit(features[training], labels[training])
    accuracies.append(accuracy_score(labels[validation], model.predict(features[validation])))
    nni.report_intermediate_result(accuracies[-1])
nni.report_final_result(sum(accuracies) / len(accuracies))
